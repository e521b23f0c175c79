"""Who calls: what an INVITE of ours says by profile, and what we believe of theirs."""

from dataclasses import replace

import pytest

from callcore.call.events import Diverted
from callcore.call.identity import (
    ENGINE_HEADERS,
    Ours,
    filtered,
    history_of,
    outward,
    read,
    write,
    write_number,
)
from callcore.call.placement import Party
from callcore.call.profile import Profile
from callcore.call.settings import Trunk
from callcore.message import parse_uri, request
from config.headers import OWN_HEADERS
from tests.callcore.call.test_numbers import PROFILES

IBCF, IMS, PLAIN = (PROFILES[name] for name in ("ibcf", "ims", "plain"))
HOTLINE = "055165551234"
OURS = Ours("hotline.example")
CITIZEN = Party("13800000001", "Wang")
FORWARDED = (Diverted("12345", "no-answer"),)


def trunk(profile, **more):
    return Trunk("t", outbound_number=HOTLINE, profile=replace(profile, **more))


def fields(written):
    return dict(written.headers)


def test_a_border_element_is_told_who_we_are():
    written = write(trunk(IBCF), OURS, Party("8001", "Agent"))
    assert written.from_ == '"Agent" <sip:+8655165551234@hotline.example;user=phone>'
    assert fields(written) == {
        "P-Asserted-Identity": "<sip:+8655165551234@hotline.example;user=phone>"
    }


def test_who_withholds_is_anonymous_and_known_only_to_whom_we_trust():
    caller = Party("8001", "Agent", withheld=True)
    written = write(trunk(IBCF, privacy=("id", "header")), OURS, caller)
    assert written.from_ == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert fields(written)["Privacy"] == "id;header"
    assert "P-Asserted-Identity" in fields(written)
    assert fields(write(trunk(IBCF, trusted=False), OURS, caller)) == {"Privacy": "id"}
    kept = write(trunk(PLAIN, from_identity="caller"), OURS, caller)
    assert kept.from_ == "<sip:055165551234@hotline.example>"


def test_a_registered_trunk_is_what_the_registrar_made_of_it():
    """RFC 7315 §4.1: the identity of outbound_number; else ours if allowed; else the default."""
    impu = "sip:pilot@ims.example"
    given = ("<sip:+8655165550000@ims.example>", f"<{impu}>", "<tel:+8655165551234>")
    exact = Ours("ims.example", impu, (*given, "<sip:+8655165551234@ims.example;user=phone>"))
    assert write(trunk(IMS), exact, CITIZEN).from_.endswith(
        "<sip:+8655165551234@ims.example;user=phone>"
    )
    assert write(trunk(IMS), Ours("ims.example", impu, given), Party("")).from_ == f"<{impu}>"
    barred = write(trunk(IMS), Ours("ims.example", impu, given[:1]), Party(""))
    assert barred.from_ == "<sip:+8655165550000@ims.example>"
    assert fields(barred) == {"P-Preferred-Identity": "<sip:+8655165550000@ims.example>"}
    assert write(trunk(IMS), Ours("ims.example", impu, ("rubbish",)), Party("")).from_ == (
        f"<{impu}>"
    )


def test_a_forwarded_call_says_by_whom_and_why():
    """RFC 5806 and RFC 7044: an agent's mobile, called for a citizen who called 12345."""
    written = write(trunk(IBCF), OURS, CITIZEN, FORWARDED)
    assert written.from_ == '"Wang" <sip:+8613800000001@hotline.example;user=phone>'
    target = write_number(IBCF, "13911111111", "192.0.2.1:5060")
    assert target == "sip:+8613911111111@192.0.2.1:5060;user=phone"
    found = dict(history_of(target, written.headers, FORWARDED))
    assert found["Diversion"] == (
        "<sip:12345@hotline.example;user=phone>;reason=no-answer;counter=1"
    )
    assert found["History-Info"] == (
        f"<sip:12345@hotline.example;user=phone>;index=1, <{target};cause=408>;index=1.1;mp=1"
    )


def test_a_call_forwarded_twice_has_its_chain_in_both_orders():
    chain = (Diverted("055112340", "user-busy"), Diverted("12345", "unconditional"))
    headers = write(trunk(IBCF), OURS, CITIZEN, chain).headers
    diversions = [value for name, value in headers if name == "Diversion"]
    assert [value.split(";")[-2] for value in diversions] == [
        "reason=unconditional",
        "reason=user-busy",
    ]
    history = dict(history_of("sip:x@y", headers, chain))["History-Info"]
    assert [part.rpartition("index=")[2] for part in history.split(", ")] == [
        "1",
        "1.1",
        "1.1.1;mp=1.1",
    ]
    invite = incoming([*[h for h in headers if h[0] == "Diversion"]])
    assert read(invite, replace(IBCF)).presented.diverted == (
        Diverted("12340", "user-busy"),
        Diverted("12345", "unconditional"),
    )
    invite = incoming([("History-Info", history)])
    assert [d.reason for d in read(invite, IBCF).presented.diverted] == [
        "user-busy",
        "unconditional",
    ]


def test_a_tel_uri_has_a_context_where_it_is_local():
    tel = replace(IMS, number_form="tel", phone_context="+86551")
    assert write_number(tel, "12345", "x") == "tel:12345;phone-context=+86551"
    assert write_number(tel, "13800000001", "x") == "tel:+8613800000001"
    assert write_number(replace(tel, number_form="sip-phone"), "12345", "x") == (
        "sip:12345;phone-context=+86551@x;user=phone"
    )
    assert write_number(tel, "alice", "x") == "sip:alice@x"


def incoming(headers=(), *, from_='"Wang" <sip:+8613800000001@net.example>', uri="12345"):
    return request(
        "INVITE",
        f"sip:{uri}@hotline.example",
        headers=[
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("From", f"{from_};tag=1"),
            ("To", "<sip:+8655112345@net.example>"),
            ("Call-ID", "c"),
            ("CSeq", "1 INVITE"),
            *headers,
        ],
    )


ASSERTED = ("P-Asserted-Identity", '"Li" <sip:+8613922222222@net.example>, <tel:+8613922222222>')


@pytest.mark.parametrize(
    ("profile", "headers", "caller", "display"),
    [
        (IMS, [ASSERTED], "13922222222", "Li"),
        (replace(IMS, trusted=False), [ASSERTED], "13800000001", "Wang"),
        (PLAIN, [ASSERTED], "13800000001", "Wang"),
        (IMS, [("P-Asserted-Identity", "rubbish")], "13800000001", "Wang"),
        (IMS, [ASSERTED, ("Privacy", "id")], "anonymous", ""),
        (IMS, [ASSERTED, ("Privacy", "none")], "13922222222", "Li"),
        (replace(IMS, withheld_callers="show"), [ASSERTED, ("Privacy", "id")], "13922222222", "Li"),
        (IMS, [("Privacy", "header;user")], "anonymous", ""),
    ],
)
def test_a_caller_is_whom_the_network_asserts_unless_it_is_withheld(
    profile, headers, caller, display
):
    found = read(incoming(headers), profile)
    assert (found.caller, found.presented.display) == (caller, display)
    assert found.presented.withheld is any(v in ("id", "header;user") for _, v in headers)


@pytest.mark.parametrize(
    "from_",
    [
        '"Anonymous" <sip:anonymous@anonymous.invalid>',
        "<sip:restricted@net.example>",
        "<sip:Unavailable@net.example>",
    ],
)
def test_a_from_without_a_name_is_a_withheld_number(from_):
    found = read(incoming(from_=from_), IMS)
    assert (found.caller, found.presented.withheld) == ("anonymous", True)


def test_the_called_number_stands_where_the_profile_says():
    """A registrar writes our contact into the Request-URI (RFC 7315 §4.2)."""
    called = ("P-Called-Party-ID", "<sip:+8655165551234@ims.example>")
    invite = incoming([called], uri="pilot")
    assert read(invite, IMS).called == "055165551234"
    assert read(incoming(uri="pilot"), IMS).called == "pilot"
    assert read(invite, PLAIN).called == "055112345"
    assert read(invite, Profile()).called == "pilot"


def test_only_listed_headers_pass_and_those_of_either_side_never():
    headers = [
        ("Subject", "s"),
        ("X-City-Order", "1"),
        ("X-Inner", "2"),
        ("Via", "v"),
        ("Route", "r"),
        ("p-asserted-identity", "<sip:a@b>"),
    ]
    listed = ("Subject", "X-City-*", "Via", "P-Asserted-Identity", "Route")
    assert filtered(headers, listed) == (("Subject", "s"), ("X-City-Order", "1"))
    assert read(incoming(headers), IMS).presented.headers == (("Subject", "s"),)
    assert read(incoming(headers), PLAIN).presented.headers == ()


def test_a_call_takes_along_the_engine_s_own_and_the_listed():
    headers = (("Replaces", "x"), ("Subject", "s"), ("X-Inner", "1"), ("Privacy", "none"))
    assert outward(headers, IMS) == (("Replaces", "x"), ("Subject", "s"))
    assert outward(headers, PLAIN) == (("Replaces", "x"),)
    assert not ENGINE_HEADERS & {"privacy", "p-asserted-identity", "p-preferred-identity"}
    assert {"via", "contact", "privacy", "p-asserted-identity"} <= OWN_HEADERS


def test_numbers_of_ours_are_uris_that_can_be_read():
    for profile in PROFILES.values():
        for caller in (CITIZEN, Party(""), Party("we;ird@name")):
            written = write(trunk(profile), OURS, caller, FORWARDED)
            parse_uri(written.from_[written.from_.index("<") + 1 : -1])

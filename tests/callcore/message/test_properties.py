"""What holds for every message, not only for those that somebody thought of."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from callcore.errors import RemoteProtocolError
from callcore.message import (
    NameAddr,
    Uri,
    Via,
    parse,
    parse_name_addr,
    parse_uri,
    parse_via,
    render,
    request,
    response,
    with_headers,
)
from tests.callcore.message.samples import INVITE, invite
from tests.fuzz.fuzz_message import target

TOKEN = st.text(string.ascii_letters + string.digits + "-.!%*_+`'~", min_size=1, max_size=12)
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\x7f"), max_size=20
)
HOSTS = st.one_of(
    st.from_regex(r"[a-z0-9]([a-z0-9\-]{0,8}[a-z0-9])?(\.[a-z]{2,5})?", fullmatch=True),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
PORTS = st.none() | st.integers(1, 65535)
PARAMS = st.dictionaries(TOKEN.map(str.lower), st.none() | TEXT, max_size=4)


@st.composite
def sip_uris(draw):
    user = draw(st.none() | TEXT.filter(lambda t: t.isprintable() and t != ""))
    password = draw(st.none() | TEXT.filter(str.isprintable)) if user is not None else None
    params = {
        name: value for name, value in draw(PARAMS).items() if value is None or value.isprintable()
    }
    return Uri(
        draw(st.sampled_from(["sip", "sips"])),
        user,
        draw(HOSTS),
        draw(PORTS),
        params,
        password=password,
        headers=draw(st.sampled_from(["", "Subject=x", "a=b&c=%20"])),
    )


@st.composite
def messages(draw):
    values = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=30)
    fields = draw(st.lists(st.tuples(TOKEN.map(lambda name: "X-" + name), values), max_size=8))
    uri = draw(sip_uris())
    headers = [
        ("Via", str(Via("UDP", draw(HOSTS), draw(PORTS), {"branch": draw(TOKEN)}))),
        ("From", str(NameAddr(draw(sip_uris()), draw(TEXT), {"tag": draw(TOKEN)}))),
        ("To", str(NameAddr(draw(sip_uris()), draw(TEXT)))),
        ("Call-ID", draw(TOKEN)),
        ("CSeq", f"{draw(st.integers(0, 2**31 - 1))} INVITE"),
        *[(name, value.strip(" \t")) for name, value in fields],
    ]
    built = request("INVITE", uri, headers=headers, body=draw(st.binary(max_size=40)))
    return response(built, 200, to_tag="x") if draw(st.booleans()) else built


@given(sip_uris())
def test_a_uri_survives_being_written(uri):
    again = parse_uri(str(uri))
    assert again == uri
    assert str(again) == str(uri)


@given(sip_uris(), TEXT, PARAMS)
def test_an_address_survives_being_written(uri, display, params):
    address = NameAddr(uri, display, params)
    assert parse_name_addr(str(address)) == address


@given(TOKEN, HOSTS, PORTS, PARAMS)
def test_a_via_survives_being_written(transport, host, port, params):
    via = Via(transport, host, port, params)
    assert parse_via(str(via)) == via


@given(messages())
def test_a_message_survives_being_written(message):
    again = parse(render(message))
    assert again == message
    assert (again.via, again.cseq, again.call_id) == (message.via, message.cseq, message.call_id)
    assert (again.from_, again.to) == (message.from_, message.to)
    assert parse(render(with_headers(again, again.headers))) == message


@given(st.binary(max_size=400))
def test_no_bytes_raise_anything_but_the_remotes_error(data):
    target(data)


HEADS = [b"INVITE sip:a SIP/2.0\r\n", b"SIP/2.0 200 OK\r\n"]
NAMES = [b"Via", b"f", b"To", b"Call-ID", b"CSeq", b"Contact", b"Route", b"Date", b"Expires", b"l"]


@given(
    st.sampled_from(HEADS),
    st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=60)), max_size=6),
)
def test_no_field_raises_anything_but_the_remotes_error(head, fields):
    target(head + b"".join(b"%s: %s\r\n" % field for field in fields) + b"\r\n")


@given(st.data())
def test_no_mutation_raises_anything_but_the_remotes_error(data):
    octets = bytearray(INVITE)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(octets) - 1))
        length = data.draw(st.integers(0, 5))
        octets[at : at + length] = data.draw(
            st.sampled_from([b"", b'"', b"<", b"\r\n ", b";", b",", b"\xff", b"%", b"[", b"\x00"])
        )
    target(bytes(octets))


@given(st.text(max_size=60))
def test_any_text_is_a_uri_and_an_address_or_refused(text):
    for read in (parse_uri, parse_name_addr, parse_via):
        try:
            str(read(text))
        except RemoteProtocolError:
            continue


def test_the_sample_is_what_the_mutations_start_from():
    assert render(invite()) == INVITE

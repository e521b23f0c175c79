"""URIs in their parts and back (RFC 3261 §19.1, RFC 3966)."""

from __future__ import annotations

import pytest

from callcore.errors import RemoteProtocolError
from callcore.message import Uri, parse_uri


def test_a_sip_uri_has_all_its_parts():
    uri = parse_uri("sips:alice:se%20cret@Example.COM:5061;transport=TCP;lr?Subject=x&Priority=u")
    assert (uri.scheme, uri.user, uri.password) == ("sips", "alice", "se cret")
    assert (uri.host, uri.port, uri.transport) == ("example.com", 5061, "tcp")
    assert uri.params == {"transport": "TCP", "lr": None}
    assert uri.headers == "Subject=x&Priority=u"


def test_what_was_parsed_is_written_as_it_came():
    text = "SIP:%61lice@EXAMPLE.com:05060;Lr;x=%41"
    uri = parse_uri(text)
    assert (str(uri), uri.user, uri.port) == (text, "alice", 5060)


def test_ipv6_loses_its_brackets_and_gets_them_back():
    """RFC 5118 §4.1."""
    uri = parse_uri("sip:8001@[2001:DB8::1]:5070")
    assert (uri.host, uri.port) == ("2001:db8::1", 5070)
    assert str(Uri("sip", "8001", "2001:db8::1", 5070)) == "sip:8001@[2001:db8::1]:5070"
    assert Uri("sip", "8001", "[2001:db8::1]") == Uri("sip", "8001", "2001:db8::1")


def test_a_telephone_number_is_the_user_of_tel():
    uri = parse_uri("tel:7042;phone-context=example.com")
    assert (uri.scheme, uri.user, uri.host) == ("tel", "7042", "")
    assert uri.params == {"phone-context": "example.com"}
    assert str(Uri("tel", "+86-551-12345")) == "tel:+86-551-12345"


def test_an_unknown_scheme_is_opaque():
    """RFC 4475 §3.3.2 and §3.3.3."""
    uri = parse_uri("soap.beep://192.0.2.103:3002")
    assert (uri.scheme, uri.opaque, uri.user) == ("soap.beep", "//192.0.2.103:3002", None)
    assert str(Uri("urn", opaque="service:sos")) == "urn:service:sos"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:",
        "sip:@a",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:a@b;",
        "sip:a@b;;c",
        "sip:a@b;c=1;C=2",
        "sip:[::1",
        "sip:a@b?",
        "tel:",
        "tel:12;",
        "1sip:a",
        "sip:王@b",
        "<sip:a>",
    ],
)
def test_what_is_no_uri_is_refused(text):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri(text)
    assert caught.value.status == 400


def test_a_uri_that_is_too_long_is_414():
    """RFC 3261 §21.4.12."""
    with pytest.raises(RemoteProtocolError) as caught:
        parse_uri("sip:" + "a" * 5000 + "@b")
    assert caught.value.status == 414


def test_a_repeated_parameter_is_forgiven_when_it_says_the_same():
    assert parse_uri("sip:a@b;lr;lr").params == {"lr": None}


def test_escapes_of_what_is_not_text_stay():
    assert parse_uri("sip:%00%41@b").user == "%00%41"
    assert parse_uri("sip:%FF@b").user == "%FF"
    assert parse_uri("sip:50%@b").user == "50%"
    assert parse_uri("sip:%E7%8E%8B@b").user == "王"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp", True),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", True),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5", True),
        ("sip:b@biloxi.com;transport=tcp;lr", "sip:b@biloxi.com;lr;transport=tcp", True),
        ("sip:a@b.com?Subject=x&Priority=u", "sip:a@b.com?priority=u&subject=x", True),
        ("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", False),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", False),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com", False),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=x", False),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", False),
    ],
)
def test_two_uris_are_the_same_by_the_rules_of_the_rfc(one, other, same):
    """RFC 3261 §19.1.4, whose examples these are."""
    assert parse_uri(one).same_as(parse_uri(other)) is same
    assert parse_uri(other).same_as(parse_uri(one)) is same

"""Via, the name-addr fields and CSeq."""

from __future__ import annotations

import pytest

from callcore.errors import RemoteProtocolError
from callcore.message import NameAddr, Uri, Via, parse_name_addr, parse_via
from callcore.message.grammar import split_list


def test_via_takes_white_space_and_ipv6():
    via = parse_via(
        " SIP / 2.0 / udp  [2001:DB8::9:1] : 5061 ; received = [::1] ;rport=7 , SIP/2.0"
    )
    assert (via.transport, via.host, via.port) == ("UDP", "2001:DB8::9:1", 5061)
    assert (via.received, via.rport, via.branch) == ("::1", 7, None)
    assert str(Via("tls", "::1", 5061, {"branch": "z9hG4bK1"})) == (
        "SIP/2.0/TLS [::1]:5061;branch=z9hG4bK1"
    )


def test_via_with_the_address_that_it_came_from():
    """RFC 3581 §4."""
    via = parse_via("SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK1")
    assert via.wants_rport
    assert str(via.with_params(received="192.0.2.1", rport="9988")) == (
        "SIP/2.0/UDP 10.0.0.1;rport=9988;branch=z9hG4bK1;received=192.0.2.1"
    )
    assert via.rport is None


@pytest.mark.parametrize("rport", ["a", "999999", "\u0661"])
def test_a_senseless_rport_is_none(rport):
    assert Via("UDP", "a", None, {"rport": rport}).rport is None


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0/UDP", "SIP/2.0 UDP a", "SIP/2.0/UDP a;;b", "SIP/2.0/UDP a;b=", "HTTP/2.0/UDP a"],
)
def test_what_is_no_via_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        parse_via(text)


def test_a_parameter_that_contradicts_itself_is_refused():
    """RFC 3261 §7.3.1."""
    with pytest.raises(RemoteProtocolError):
        _ = parse_via("SIP/2.0/UDP a;branch=1;branch=2").branch


@pytest.mark.parametrize(
    ("text", "display", "uri", "tag"),
    [
        ("sip:a@b;tag=1", "", "sip:a@b", "1"),
        ("<sip:a@b;x=1>;tag=2", "", "sip:a@b;x=1", "2"),
        ("caller<sip:a@b>;TAG = 3", "caller", "sip:a@b", "3"),
        ('"a \\"b\\", <c>" <sip:a@b>', 'a "b", <c>', "sip:a@b", None),
        ("王芳 <sip:a@b>", "王芳", "sip:a@b", None),
        ('""<tel:+86551>;x="a;tag=9";tag="q"', "", "tel:+86551", "q"),
        ("<http://www.example.com>;tag=4", "", "http://www.example.com", "4"),
        ("isbn:2983792873", "", "isbn:2983792873", None),
    ],
)
def test_an_address_is_read(text, display, uri, tag):
    address = parse_name_addr(text)
    assert (address.display, str(address.uri), address.tag) == (display, uri, tag)
    assert parse_name_addr(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "<>",
        "<sip:a@b",
        "sip:a@b>",
        "< sip:a@b >",
        '"a <sip:b>',
        "a, b <sip:c>",
        "sip:a?b=c",
    ],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_name_addr(text, "To")
    assert caught.value.where == "To"


def test_parameters_are_quoted_only_where_they_must_be():
    address = NameAddr(Uri("sip", "a", "b"), 'x"y\\', {"q": "0.5", "s": 'a "b', "lr": None})
    assert str(address) == '"x\\"y\\\\" <sip:a@b>;q=0.5;s="a \\"b";lr'
    assert parse_name_addr(str(address)) == address
    assert address.with_params(q="1").params["q"] == "1"


def test_commas_within_quotes_and_brackets_do_not_split():
    text = '"a, b" <sip:a,b@c>;x="1,2" , <sip:d>,'
    assert split_list(text, "X") == ['"a, b" <sip:a,b@c>;x="1,2"', "<sip:d>", ""]


@pytest.mark.parametrize("text", ['a,"b', "a,<b", '"a,\\"', "a" + ",b" * 300])
def test_a_list_that_cannot_be_split_is_refused(text):
    with pytest.raises(RemoteProtocolError):
        split_list(text, "X")

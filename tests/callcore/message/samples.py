"""Messages that several tests start from."""

from __future__ import annotations

from callcore.message import Request, parse

SDP = b"""v=0\r
o=- 3724394400 3724394400 IN IP4 192.0.2.15\r
s=-\r
c=IN IP4 192.0.2.15\r
t=0 0\r
m=audio 40376 RTP/AVP 8 0 101\r
a=rtpmap:101 telephone-event/8000\r
a=ptime:20\r
"""

INVITE = (
    b"""INVITE sip:12345@hotline.example.com SIP/2.0\r
Via: SIP/2.0/UDP 192.0.2.15:5060;branch=z9hG4bK-524287-1;rport\r
Via: SIP/2.0/TCP edge.example.com;branch=z9hG4bKabc\r
Record-Route: <sip:edge.example.com;lr>\r
Max-Forwards: 70\r
From: "Wang Fang" <sip:055112345678@trunk.example.com;user=phone>;tag=9fxced76sl\r
To: <sip:12345@hotline.example.com>\r
Call-ID: 3848276298220188511@192.0.2.15\r
CSeq: 1 INVITE\r
Contact: <sip:055112345678@192.0.2.15:5060;transport=udp>\r
Content-Type: application/sdp\r
Content-Length: """
    + str(len(SDP)).encode()
    + b"\r\n\r\n"
    + SDP
)


def invite(*changes: tuple[bytes, bytes]) -> Request:
    """The INVITE above with parts of its bytes replaced."""
    data = INVITE
    for old, new in changes:
        assert old in data
        data = data.replace(old, new)
    message = parse(data)
    assert isinstance(message, Request)
    return message

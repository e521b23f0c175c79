"""SIPp scenarios written as ladders: each step is a message that SIPp sends or waits for.

`caller` is SIPp as the trunk's caller, `seat` is SIPp as a seat's phone. @host@, @port@ and @via@
are the front's: what the engine sees.
"""

from collections.abc import Iterable

LOCAL = "@host@:@port@"
CONTACT = f"Contact: <sip:[caller]@{LOCAL};transport=@transport@>"
VIA = f"Via: SIP/2.0/@via@ {LOCAL};branch=[branch]"


def sdp(version: int = 1, way: str = "sendrecv", more: str = "a=ptime:20", **changes: str) -> str:
    """A description; `connection` and `port` may be others than SIPp's own."""
    connection = changes.get("connection", "[media_ip]")
    port = changes.get("port", "[media_port]")
    return f"""
v=0
o=sipp 5 {version} IN IP4 [media_ip]
s=-
c=IN IP4 {connection}
t=0 0
m=audio {port} RTP/AVP 8 101
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
{more}
a={way}
"""


def _message(lines: Iterable[str], body: str, attributes: str) -> str:
    head = list(lines)
    if body:
        head.append("Content-Type: application/sdp")
    text = "\n".join([*head, "Content-Length: [len]", body or "\n"])
    return f"<send {attributes}><![CDATA[\n{text}\n]]></send>"


def request(
    method: str,
    number: int,
    *headers: str,
    body: str = "",
    to: str = "[peer_tag_param]",
    **changes: str,
) -> str:
    """A request of the caller's; `via` and `uri` may be others, `once` is never sent again."""
    uri = changes.get("uri", "[next_url]" if to else "sip:[service]@hotline.local")
    lines = [
        f"{method} {uri} SIP/2.0",
        changes.get("via", VIA),
        f"From: <sip:[caller]@{LOCAL}>;tag=[pid]s[call_number]",
        f"To: <sip:[service]@hotline.local>{to}",
        "Call-ID: [call_id]",
        f"CSeq: {number} {method}",
        "Max-Forwards: 70",
        CONTACT,
        *headers,
    ]
    once = method == "ACK" or "once" in changes
    return _message(lines, body, "" if once else 'retrans="500"')


def invite(*headers: str, body: str | None = None, number: int = 1, **changes: str) -> str:
    """The call's first INVITE."""
    asserted = f"P-Asserted-Identity: <sip:[caller]@{LOCAL}>"
    given = sdp() if body is None else body
    return request("INVITE", number, asserted, *headers, body=given, to="", **changes)


def hears(status: int, *checks: str, optional: bool = False) -> str:
    """A response; each check is a regular expression that it must have."""
    attributes = f'response="{status}"' + (' optional="true"' if optional else "")
    return _expect(attributes, checks)


def gets(method: str, *checks: str, optional: bool = False) -> str:
    """A request."""
    attributes = f'request="{method}"' + (' optional="true"' if optional else "")
    return _expect(attributes, checks)


def _expect(attributes: str, checks: Iterable[str]) -> str:
    found = "".join(
        f'<ereg regexp="{check}" search_in="msg" check_it="true" assign_to="checked"/>'
        for check in checks
    )
    actions = f"<action>{found}</action>" if found else ""
    return f"<recv {attributes}>{actions}</recv>"


def answered(*checks: str) -> str:
    """100 perhaps, then 200."""
    return hears(100, optional=True) + _expect('response="200" rrs="true"', checks)


def ack(number: int = 1, body: str = "", to: str = "[peer_tag_param]") -> str:
    return request("ACK", number, body=body, to=to)


def bye(number: int) -> str:
    """BYE and its 200; what was meant for the call before is let pass."""
    return request("BYE", number) + hears(200)


def pause(milliseconds: int) -> str:
    return f'<pause milliseconds="{milliseconds}"/>'


def reinvite(number: int, body: str, *checks: str) -> str:
    """A re-INVITE that is accepted."""
    return request("INVITE", number, body=body) + answered(*checks) + ack(number)


# SIPp as a phone


def is_called(*checks: str) -> str:
    """The INVITE; who called whom is kept for requests of the phone's own."""
    kept = "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{name}:" check_it="true" assign_to="{to}"/>'
        for name, to in (("From", "theirs"), ("To", "ours"))
    )
    found = "".join(
        f'<ereg regexp="{check}" search_in="msg" check_it="true" assign_to="checked"/>'
        for check in checks
    )
    return f'<recv request="INVITE" rrs="true"><action>{kept}{found}</action></recv>'


def says(status: str, *headers: str, body: str = "", tag: str = "a", resent: bool = False) -> str:
    """A response to what came last, in the dialog of a tag."""
    to = f"[last_To:];tag={tag}[call_number]" if tag else "[last_To:]"
    lines = [
        f"SIP/2.0 {status}",
        "[last_Via:]",
        "[last_From:]",
        to,
        "[last_Call-ID:]",
        "[last_CSeq:]",
        f"Contact: <sip:phone@{LOCAL};transport=@transport@>",
        "Allow: INVITE, ACK, BYE, CANCEL, PRACK, UPDATE",
        *headers,
    ]
    return _message(lines, body, 'retrans="500"' if resent else "")


def to_invite(status: str, *headers: str, body: str = "", tag: str = "a") -> str:
    """A response to the INVITE after other requests have come; sent again until its ACK."""
    lines = [
        f"SIP/2.0 {status}",
        "Via:[$via]",
        "From:[$theirs]",
        f"To:[$ours];tag={tag}[call_number]",
        "[last_Call-ID:]",
        "CSeq:[$cseq]",
        f"Contact: <sip:phone@{LOCAL};transport=@transport@>",
        *headers,
    ]
    return _message(lines, body, 'retrans="500"')


def asks(method: str, number: int, *headers: str, body: str = "", tag: str = "a") -> str:
    """A request of the phone's own within the dialog."""
    lines = [
        f"{method} [next_url] SIP/2.0",
        VIA,
        f"From:[$ours];tag={tag}[call_number]",
        "To:[$theirs]",
        "[last_Call-ID:]",
        f"CSeq: {number} {method}",
        "Max-Forwards: 70",
        f"Contact: <sip:phone@{LOCAL};transport=@transport@>",
        *headers,
    ]
    return _message(lines, body, "" if method == "ACK" else 'retrans="500"')


def remembered() -> str:
    """is_called, with Via and CSeq kept too, for an answer that comes after other requests."""
    kept = "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{name}:" check_it="true" assign_to="{to}"/>'
        for name, to in (("From", "theirs"), ("To", "ours"), ("Via", "via"), ("CSeq", "cseq"))
    )
    return f'<recv request="INVITE" rrs="true"><action>{kept}</action></recv>'


def is_hung_up() -> str:
    """Their BYE, and its 200."""
    return gets("BYE") + says("200 OK", tag="")


def scenario(name: str, *steps: str) -> str:
    """The whole file."""
    names = sorted(
        {word for word in ("checked", "theirs", "ours", "via", "cseq") if f'"{word}"' in str(steps)}
    )
    used = f'<Reference variables="{",".join(names)}"/>' if names else ""
    body = "\n".join([*steps, used])
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="{name}">\n{body}\n</scenario>\n'
    )


INACTIVE, RECVONLY, SENDRECV = "a=inactive", "a=recvonly", "a=sendrecv"
HELD = "a=(inactive|recvonly)"
RELIABLE = ("Require: 100rel", "RSeq: 7")

# name -> the caller's ladder
CALLER: dict[str, str] = {
    "hold and resume": scenario(
        "hold and resume",
        invite(),
        answered(),
        ack(),
        reinvite(2, sdp(2, "sendonly"), HELD),
        reinvite(3, sdp(3), SENDRECV),
        reinvite(4, sdp(4, "inactive"), INACTIVE),
        reinvite(5, sdp(5), SENDRECV),
        reinvite(6, sdp(6, connection="0.0.0.0"), HELD),
        reinvite(7, sdp(7), SENDRECV),
        bye(8),
    ),
    "delayed offer": scenario(
        "delayed offer",
        invite(body=""),
        answered("m=audio [0-9]+ RTP/AVP"),
        ack(body=sdp()),
        bye(2),
    ),
    "changed ptime": scenario(
        "changed ptime",
        invite(),
        answered("a=ptime:20"),
        ack(),
        reinvite(2, sdp(2, more="a=ptime:40"), "m=audio [1-9]"),
        bye(3),
    ),
    "port 0": scenario(
        "port 0",
        invite(body=sdp() + "m=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n"),
        answered("m=audio [1-9]", "m=video 0 "),
        ack(),
        bye(2),
    ),
    "CANCEL meets 200": scenario(
        "CANCEL meets 200",
        invite(),
        answered(),
        request("CANCEL", 1, to="", via=VIA.replace("[branch]", "[branch-3]")),
        hears(200),
        ack(),
        bye(2),
    ),
    "BYE before ACK": scenario("BYE before ACK", invite(), answered(), bye(2), ack()),
    "late ACK": scenario("late ACK", invite(), answered(), pause(1200), ack(), bye(2)),
    "INVITE sent again": scenario(
        "INVITE sent again",
        invite(once="yes"),
        invite(via=VIA.replace("[branch]", "[branch-1]")),
        answered(),
        ack(),
        bye(2),
    ),
    "422": scenario(
        "422",
        invite("Supported: timer", "Session-Expires: 45;refresher=uac"),
        hears(100, optional=True),
        hears(422, "Min-SE: *90"),
        request("ACK", 1, to="[peer_tag_param]", uri="sip:[service]@hotline.local"),
        invite("Supported: timer", "Session-Expires: 90;refresher=uac", "Min-SE: 90", number=2),
        answered("Session-Expires: *90;refresher=uac"),
        ack(2),
        bye(3),
    ),
}
# Over UDP the front loses the first ACK, and SIPp answers the 200 that comes again by itself; on a
# stream SIPp leaves the first 200 without one.
LOST_ACK = {
    "udp": scenario("lost ACK", invite(), answered(), ack(), pause(1200), bye(2)),
    "tcp": scenario("lost ACK", invite(), answered(), hears(200), ack(), bye(2)),
}
LOST_ACK["tls"] = LOST_ACK["tcp"]
SLOW_CALLER: dict[str, str] = {
    "no ACK at all": scenario(
        "no ACK at all", invite(), answered(), gets("BYE"), says("200 OK", tag="")
    ),
    "session expires": scenario(
        "session expires",
        invite("Supported: timer", "Session-Expires: 90;refresher=uac"),
        answered("Session-Expires: *90;refresher=uac"),
        ack(),
        gets("BYE"),
        says("200 OK", tag=""),
    ),
    # RFC 3261 section 14.1: the engine refreshes by re-INVITE; ours crosses it.
    "491 both ways": scenario(
        "491 both ways",
        invite("Supported: timer", "Session-Expires: 90;refresher=uas", "Allow: INVITE, ACK, BYE"),
        answered("Session-Expires: *90;refresher=uas"),
        ack(),
        remembered(),
        request("INVITE", 2, body=sdp(2)),
        hears(100, optional=True),
        hears(491),
        ack(2),
        to_invite("491 Request Pending", tag="").replace(
            "To:[$ours];tag=[call_number]", "To:[$ours]"
        ),
        gets("ACK"),
        remembered(),
        to_invite("200 OK", body=sdp(3)).replace(";tag=a[call_number]", ""),
        gets("ACK"),
        bye(3),
    ),
}
PHONE: dict[str, str] = {
    "18x reliable": scenario(
        "18x reliable",
        remembered(),
        says("180 Ringing", *RELIABLE, resent=True),
        gets("PRACK", "RAck: *7 1 INVITE"),
        says("200 OK", tag=""),
        to_invite("200 OK", body=sdp()),
        gets("ACK"),
        is_hung_up(),
    ),
    "UPDATE in an early dialog": scenario(
        "UPDATE in an early dialog",
        remembered(),
        says("183 Session Progress", *RELIABLE, body=sdp(), resent=True),
        gets("PRACK", "RAck: *7 1 INVITE"),
        says("200 OK", tag=""),
        asks("UPDATE", 1, body=sdp(2, more="a=ptime:30")),
        hears(200, "m=audio [1-9]"),
        to_invite("200 OK"),
        gets("ACK"),
        is_hung_up(),
    ),
    "early media of two forks": scenario(
        "early media of two forks",
        is_called(),
        says("183 Session Progress", body=sdp(), tag="a"),
        says("183 Session Progress", body=sdp(1, port="[media_port+2]"), tag="b"),
        says("200 OK", body=sdp(1, port="[media_port+2]"), tag="b", resent=True),
        gets("ACK", "tag=b"),
        is_hung_up(),
    ),
    "two 2xx": scenario(
        "two 2xx",
        remembered(),
        to_invite("200 OK", body=sdp(), tag="a"),
        gets("ACK", "tag=a"),
        to_invite("200 OK", body=sdp(), tag="b"),
        gets("ACK", optional=True),
        gets("BYE", "tag=b"),
        says("200 OK", tag=""),
        is_hung_up(),
    ),
    "422 to us": scenario(
        "422 to us",
        is_called("Session-Expires"),
        says("422 Session Interval Too Small", "Min-SE: 3600", resent=True),
        gets("ACK"),
        is_called("Session-Expires: *3600", "Min-SE: *3600"),
        says(
            "200 OK",
            "Session-Expires: 3600;refresher=uac",
            "Require: timer",
            body=sdp(),
            resent=True,
        ),
        gets("ACK"),
        is_hung_up(),
    ),
}
GIVEN_UP: dict[str, str] = {
    "our CANCEL meets 200": scenario(
        "our CANCEL meets 200",
        remembered(),
        says("180 Ringing"),
        gets("CANCEL"),
        says("200 OK", tag="c"),
        to_invite("200 OK", body=sdp()),
        gets("ACK"),
        is_hung_up(),
    ),
}

# For transfers: @refer_to@, @replaces@ and @user@ are the test's.
TRANSFERRING = scenario(
    "REFER",
    is_called(),
    says("200 OK", body=sdp(), resent=True),
    gets("ACK"),
    asks("REFER", 1, "Refer-To: @refer_to@"),
    hears(202),
    gets("NOTIFY", "SIP/2.0 100"),
    says("200 OK", tag=""),
    gets("NOTIFY", "SIP/2.0 200"),
    says("200 OK", tag=""),
    asks("BYE", 2),
    hears(200),
)
WAITING_PHONE = scenario(
    "a phone that waits",
    is_called(),
    says("200 OK", body=sdp(), resent=True),
    gets("ACK"),
    is_hung_up(),
)
PROOF = "username=@user@ password=secret-@user@"
SEAT_CALLER = scenario(
    "Replaces",
    invite("Replaces: @replaces@"),
    hears(100, optional=True),
    '<recv response="401" auth="true"/>',
    request("ACK", 1, uri="sip:[service]@hotline.local"),
    invite("Replaces: @replaces@", f"[authentication {PROOF}]", number=2),
    answered(),
    ack(2),
    bye(3),
).replace(f"From: <sip:[caller]@{LOCAL}>", "From: <sip:@user@@hotline.local>")

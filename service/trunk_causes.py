"""What usually is behind an operator's answer: data for `callcore trunk test`."""

SILENCE = (
    "a firewall or a router between us drops the packets: UDP and TCP, both directions",
    "proxy, registrar or peers name a wrong address or port, or transport the wrong one",
    "the operator ignores addresses that it does not know: have it check ours",
)
LOOP = (
    "password is wrong",
    "user is not the IMPI: many operators want NAME@DOMAIN there",
    "the challenge is for another realm: leave realm empty, or write the one it names",
)
BUSY_SERVER = ("the operator's side is out of order or overloaded: try again, then ask them",)

REGISTER: dict[int, tuple[str, ...]] = {
    400: ("the registrar could not read the request: impu or registrar may be malformed",),
    401: LOOP,
    403: (
        "impu is not provisioned, or not for this user (IMPI)",
        "the operator does not let this address register",
        "another device is registered, and only one may be",
    ),
    404: ("the registrar does not know impu, or registrar is not its domain",),
    407: LOOP,
    408: ("the proxy had no answer from the registrar behind it",),
    420: ("the registrar wants an extension that we lack: its answer names it",),
    421: ("the registrar wants an extension that we lack: its answer names it",),
    423: ("expires_seconds is below what the registrar takes, and it does not say what it takes",),
    480: ("impu is known and barred at the moment: ask the operator",),
    494: ("the operator wants IPsec (sec-agree): ask for an access with digest alone",),
    500: BUSY_SERVER,
    503: BUSY_SERVER,
    504: ("the proxy cannot reach the registrar: registrar may be a wrong domain",),
}

OPTIONS: dict[int, tuple[str, ...]] = {
    403: ("the peer is there and does not take requests of ours: is our address in its list?",),
    503: BUSY_SERVER,
}

INVITE: dict[int, tuple[str, ...]] = {
    400: ("the operator could not read the request: see number_form and phone_context",),
    401: LOOP,
    403: (
        "From or the identity is not one of ours there: see from_identity, outbound_number",
        "the line may not make calls, or not to this kind of number",
        "the operator wants its Service-Route or our proxy in Route: see proxy_route",
    ),
    404: (
        "the number does not exist, or is written in another way there: see numbers_out",
        "to_domain is not what the operator routes by",
    ),
    407: LOOP,
    408: ("nobody answered, or the operator had no answer from the network behind it",),
    410: ("the number is out of service",),
    415: ("the operator does not take our session description",),
    420: ("the operator wants an extension that we lack, or less of ours: see prack",),
    421: ("the operator wants an extension: see prack and session_timer",),
    422: ("session_seconds is below what the operator takes (Min-SE)",),
    433: ("the called side takes no anonymous calls",),
    480: ("the called phone is off or not registered", "or all lines of the trunk are in use"),
    481: ("a proxy on the way lost the call: two of them may not share their state",),
    482: ("the call came back to the operator: the number is forwarded in a circle",),
    483: ("the call came back to the operator: the number is forwarded in a circle",),
    484: ("the number is incomplete, or written in another way there: see numbers_out",),
    486: ("the called phone is busy",),
    488: ("no codec in common: see codecs",),
    500: BUSY_SERVER,
    502: BUSY_SERVER,
    503: (*BUSY_SERVER, "or all lines of the trunk are in use"),
    504: ("the operator cannot reach the network behind it, or to_domain is wrong",),
    603: ("the called side declined, or the operator bars the call",),
    604: ("the number does not exist",),
    606: ("no codec in common: see codecs",),
}

UNHEARD = (
    "a firewall drops RTP: open the UDP ports of [media] ports",
    "our address in SDP cannot be reached: see [media] address and public_address",
    "the called side is silent before it speaks: call a number with an announcement",
)

TABLES = {"REGISTER": REGISTER, "OPTIONS": OPTIONS, "INVITE": INVITE}


def causes(method: str, status: int | None) -> tuple[str, ...]:
    """What usually causes this answer (None: no answer at all) to a request of ours."""
    if status is None:
        return SILENCE
    found = TABLES[method].get(status)
    if found is not None:
        return found
    return ("the operator's reason is in its answer: ask them with Call-ID and time",)

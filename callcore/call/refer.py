"""Transfers that the peer of a leg asks for: REFER and its NOTIFYs (RFC 3515, 7647, 4488, 3892).

 REFER: Referred          accept: 202, NOTIFY 100        report >= 200: NOTIFY, terminated
+------+      +---------+                   +----------+                             +------+
| none | ---> | ASKED   | ----------------> | FOLLOWED | --------------------------> | none |
+------+      +---------+  refuse, timer:   +----------+  NOTIFY refused, timer      +------+
                           603              one NOTIFY at a time
"""

from collections.abc import Callable
from urllib.parse import unquote

from callcore.call.events import Referred
from callcore.call.messages import authorise, repeat_with, reply
from callcore.call.parting import need_dialog
from callcore.call.placement import Headers
from callcore.call.state import (
    Arm,
    Ask,
    Effect,
    Leg,
    LegEvent,
    LegTimer,
    Reply,
    Step,
    Stop,
    Tell,
    Transfer,
)
from callcore.dialog import in_dialog_request, next_hop
from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.message import REASONS, Request, Uri, parse_name_addr

DECIDE_SECONDS = 20.0  # below Timer F of the peer
REPORT_SECONDS = 180.0  # the subscription's life
DECLINED = 603


def receive_refer(leg: Leg, event: LegEvent) -> Step:
    """The hotline decides; who may not gets 603, a second one while the first runs 491."""
    incoming = event.data
    request = incoming.request
    status = 0
    fact: Referred | None = None
    try:
        fact = _read(leg, request)
    except RemoteProtocolError as error:
        status = error.status
    if not leg.who.terms.transfers:
        status = DECLINED
    elif leg.transfer is not None:
        status = 491
    if status or fact is None:
        return leg, [Reply(incoming.key, reply(leg.who, request, status))]
    subscription = "refer" if leg.referrals == 0 else f"refer;id={request.cseq.number}"
    silent = (request.get("Refer-Sub") or "").strip().lower().startswith("false")
    transfer = Transfer(incoming.key, request, subscription, silent)
    leg = leg._replace(transfer=transfer, referrals=leg.referrals + 1)
    return leg, [Arm(LegTimer.TRANSFER, DECIDE_SECONDS), Tell(fact)]


def _read(leg: Leg, request: Request) -> Referred:
    """RFC 3515 §2.4.2: exactly one Refer-To, 400 otherwise; only calls can be asked for."""
    values = request.values("Refer-To")
    if len(values) != 1:
        raise RemoteProtocolError("one Refer-To is needed", where="Refer-To")
    uri = parse_name_addr(values[0], "Refer-To").uri
    if uri.scheme not in ("sip", "sips", "tel"):
        raise RemoteProtocolError("a scheme that we cannot call", status=416, where="Refer-To")
    if (uri.params.get("method") or "INVITE").upper() != "INVITE":
        raise RemoteProtocolError("only calls", status=DECLINED, where="Refer-To")
    replaces = ""
    for pair in uri.headers.split("&"):
        name, _, value = pair.partition("=")
        if name.lower() == "replaces":
            replaces = unquote(value)
            if not replaces.isprintable():
                raise RemoteProtocolError("Replaces is broken", where="Refer-To")
    params = {name: value for name, value in uri.params.items() if name != "method"}
    bare = Uri(uri.scheme, uri.user, uri.host, uri.port, params, password=uri.password)
    by = request.get("Referred-By") or ""
    return Referred(leg.who.name, str(bare), replaces, referred_by=by)


def accept(leg: Leg, event: LegEvent) -> Step:
    """202 and the first NOTIFY, which says 100 (RFC 3515 §2.4.4)."""
    transfer = leg.transfer
    if transfer is None or transfer.request is None or transfer.key is None:
        return leg, []  # decided on already, by time or by the peer
    headers: Headers = (("Contact", leg.who.contact),)
    if transfer.silent:
        headers = (*headers, ("Refer-Sub", "false"))
    answer = Reply(transfer.key, reply(leg.who, transfer.request, 202, headers))
    if transfer.silent:
        return leg._replace(transfer=None), [Stop(LegTimer.TRANSFER), answer]
    leg = leg._replace(transfer=transfer._replace(key=None, request=None, queue=(100,)))
    leg, effects = _notify(leg)
    return leg, [answer, Arm(LegTimer.TRANSFER, REPORT_SECONDS), *effects]


def refuse(leg: Leg, event: LegEvent) -> Step:
    """No transfer."""
    if not 300 <= event.data < 700:
        raise LocalProtocolError(f"a transfer refused with {event.data}")
    return _refuse(leg, event.data)


def _refuse(leg: Leg, status: int) -> Step:
    transfer = leg.transfer
    if transfer is None or transfer.request is None or transfer.key is None:
        return leg, []
    answer = Reply(transfer.key, reply(leg.who, transfer.request, status))
    return leg._replace(transfer=None), [Stop(LegTimer.TRANSFER), answer]


def drop(leg: Leg) -> list[Effect]:
    """The leg ends before anybody decided."""
    return _refuse(leg, DECLINED)[1]


def report(leg: Leg, event: LegEvent) -> Step:
    """How the call to the new place fares; a final status ends the subscription."""
    transfer, status = leg.transfer, event.data
    if not 100 <= status < 700:
        raise LocalProtocolError(f"a transfer at {status}")
    if transfer is None or transfer.key is not None or transfer.over:
        return leg, []
    if status < 200 and status in (transfer.last, *transfer.queue):
        return leg, []
    # What has not been sent is overtaken by a final status.
    queue = (status,) if status >= 200 else (*transfer.queue, status)
    leg = leg._replace(transfer=transfer._replace(queue=queue, over=status >= 200))
    return _notify(leg)


def _notify(leg: Leg) -> Step:
    transfer = leg.transfer
    if transfer is None or transfer.notify is not None or not transfer.queue:
        return leg, []
    status, *rest = transfer.queue
    final = status >= 200
    state = "terminated;reason=noresource" if final else f"active;expires={REPORT_SECONDS:.0f}"
    headers = (
        ("Event", transfer.event),
        ("Subscription-State", state),
        ("Contact", leg.who.contact),
        *leg.who.banner,
        ("Content-Type", "message/sipfrag;version=2.0"),
    )
    body = f"SIP/2.0 {status} {REASONS.get(status, 'Unknown')}\r\n".encode()
    dialog, notify = in_dialog_request(need_dialog(leg), "NOTIFY", headers, body)
    if final:  # nothing more is to be known of it, whatever it is answered
        left = None
        stops: list[Effect] = [Stop(LegTimer.TRANSFER)]
    else:
        left = transfer._replace(notify=notify, queue=tuple(rest), last=status, challenged=False)
        stops = []
    return leg._replace(dialog=dialog, transfer=left), [
        *stops,
        Ask("NOTIFY", notify, next_hop(dialog)),
    ]


def receive_notified(leg: Leg, event: LegEvent) -> Step:
    """2xx to a NOTIFY: the next one."""
    transfer = leg.transfer
    if transfer is None:
        return leg, []
    return _notify(leg._replace(transfer=transfer._replace(notify=None)))


def receive_refusal(leg: Leg, event: LegEvent) -> Step:
    """The peer does not want to know (RFC 6665 §4.2.2): no more NOTIFYs, the call goes on."""
    if leg.transfer is None or leg.transfer.notify is None:
        return leg, []
    return leg._replace(transfer=None), [Stop(LegTimer.TRANSFER)]


def answer_challenge(leg: Leg, event: LegEvent) -> Step:
    """401 or 407 to a NOTIFY, answered once."""
    transfer = leg.transfer
    if transfer is None or transfer.notify is None or transfer.challenged:
        return receive_refusal(leg, event)
    credentials = authorise(transfer.notify, event.data, leg.who.login, event.cnonce)
    if credentials is None:
        return receive_refusal(leg, event)
    dialog, _ = in_dialog_request(need_dialog(leg), "NOTIFY")
    again = repeat_with(transfer.notify, dialog.local_cseq, credentials)
    transfer = transfer._replace(notify=again, challenged=True)
    return leg._replace(dialog=dialog, transfer=transfer), [Ask("NOTIFY", again, next_hop(dialog))]


def expire(leg: Leg, event: LegEvent) -> Step:
    """Nobody decided, or nobody reported, in time."""
    transfer = leg.transfer
    if transfer is not None and transfer.key is not None:
        return _refuse(leg, DECLINED)
    if transfer is None or transfer.over:
        return leg._replace(transfer=None), []
    leg = leg._replace(transfer=transfer._replace(notify=None, queue=(408,), over=True))
    return _notify(leg)


TABLE: dict[str, Callable[[Leg, LegEvent], Step]] = {
    "REFER": receive_refer,
    "accept transfer": accept,
    "refuse transfer": refuse,
    "report transfer": report,
    "notify 2xx": receive_notified,
    "notify challenge": answer_challenge,
    "notify failure": receive_refusal,
    LegTimer.TRANSFER: expire,
}

"""Early dialogs of an INVITE of ours: each fork has a target, numbers and media of its own."""

from callcore.call.messages import authorise, read_body, repeat_with
from callcore.call.state import Ask, Early, Leg, LegEvent, Step
from callcore.dialog import Dialog, in_dialog_request, next_hop
from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.message import Message, Response


def find_early(leg: Leg, tag: str) -> Early | None:
    """The early dialog with this remote tag."""
    return next((early for early in leg.early if early.dialog.remote_tag == tag), None)


def with_early(leg: Leg, changed: Early) -> Leg:
    """The leg with one of its early dialogs as it is now."""
    tag = changed.dialog.remote_tag
    return leg._replace(
        early=tuple(changed if one.dialog.remote_tag == tag else one for one in leg.early)
    )


def dialog_of(leg: Leg, tag: str) -> Dialog:
    """The dialog of the leg; before its answer, the early one with this remote tag."""
    if leg.dialog is not None:
        return leg.dialog
    early = find_early(leg, tag)
    if early is None:
        raise LocalProtocolError(f"{leg.who.name} has no dialog with {tag!r}")
    return early.dialog


def with_dialog(leg: Leg, dialog: Dialog) -> Leg:
    """The leg with this dialog as it is now."""
    if leg.dialog is not None:
        return leg._replace(dialog=dialog)
    early = find_early(leg, dialog.remote_tag)
    return leg if early is None else with_early(leg, early._replace(dialog=dialog))


def remember(leg: Leg, message: Message) -> Leg:
    """What they last told of their media: early dialogs keep theirs apart."""
    if leg.dialog is not None:
        return leg._replace(theirs=message.body)
    tag = leg.session.tag
    early = find_early(leg, tag)
    if early is None:
        return leg
    try:
        description = read_body(message)
    except RemoteProtocolError:
        return leg
    return with_early(leg, early._replace(description=description, body=message.body))


def acknowledge(leg: Leg, early: Early, answer: Response) -> tuple[Leg, Ask]:
    """PRACK, within the early dialog that the response is of (RFC 3262 §4)."""
    rack = ("RAck", f"{early.rseq} {answer.cseq.number} {answer.cseq.method}")
    dialog, prack = in_dialog_request(early.dialog, "PRACK", (rack, *leg.who.banner))
    early = early._replace(dialog=dialog, prack=prack, challenged=False)
    return with_early(leg, early), Ask("PRACK", prack, next_hop(dialog))


def answer_prack_challenge(leg: Leg, event: LegEvent) -> Step:
    """401 or 407 to our PRACK, answered once."""
    early = find_early(leg, event.data.to.tag or "")
    if early is None or early.prack is None or early.challenged:
        return leg, []
    credentials = authorise(early.prack, event.data, leg.who.login, event.cnonce)
    if credentials is None:
        return leg, []
    dialog, _ = in_dialog_request(early.dialog, "PRACK")
    again = repeat_with(early.prack, dialog.local_cseq, credentials)
    leg = with_early(leg, early._replace(dialog=dialog, prack=again, challenged=True))
    return leg, [Ask("PRACK", again, next_hop(dialog))]

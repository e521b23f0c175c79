"""Dialogs (RFC 3261 §12)."""

import pytest

from callcore.dialog import (
    DialogState,
    confirm,
    from_request,
    from_response,
    in_dialog_request,
    next_hop,
    receive_request,
    refresh,
    terminate,
)
from callcore.errors import RemoteProtocolError
from callcore.message import parse

CONTACT = "Contact: <sip:peer@192.0.2.1:5070>"
ROUTES = (
    "Record-Route: <sip:p3.example;lr>, <sip:p2.example;lr>",
    "Record-Route: <sip:p1.example;lr>",
)


def invite(*lines, uri="sip:us@example"):
    head = [
        f"INVITE {uri} SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        'From: "Peer" <sip:peer@example>;tag=p',
        "To: <sip:us@example>",
        "Call-ID: c",
        "CSeq: 10 INVITE",
    ]
    return parse("\r\n".join([*head, *lines, "", ""]).encode())


def answer(status, *lines, tag="a"):
    head = [
        f"SIP/2.0 {status} X",
        "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1",
        "From: <sip:us@example>;tag=u",
        f"To: <sip:peer@example>;tag={tag}",
        "Call-ID: c",
        "CSeq: 5 INVITE",
    ]
    return parse("\r\n".join([*head, *lines, "", ""]).encode())


def test_the_dialog_of_the_called_side():
    """RFC 3261 §12.1.1: Record-Route in the order that it came."""
    dialog = from_request(invite(CONTACT, *ROUTES), "u")
    assert (dialog.call_id, dialog.local_tag, dialog.remote_tag) == ("c", "u", "p")
    assert (dialog.local, dialog.remote) == (
        "<sip:us@example>;tag=u",
        '"Peer" <sip:peer@example>;tag=p',
    )
    assert (str(dialog.local_uri), str(dialog.remote_uri)) == (
        "sip:us@example",
        "sip:peer@example",
    )
    assert dialog.remote_target == "sip:peer@192.0.2.1:5070"
    assert [route[5:7] for route in dialog.route_set] == ["p3", "p2", "p1"]
    assert (dialog.state, dialog.remote_cseq) == (DialogState.EARLY, 10)
    assert confirm(dialog).state is DialogState.CONFIRMED
    assert terminate(dialog).state is DialogState.TERMINATED


def test_the_dialog_of_the_caller():
    """RFC 3261 §12.1.2: Record-Route the other way round."""
    dialog = from_response(answer(180, CONTACT, *ROUTES))
    assert (dialog.local_tag, dialog.remote_tag, dialog.local_cseq) == ("u", "a", 5)
    assert [route[5:7] for route in dialog.route_set] == ["p1", "p2", "p3"]
    assert (dialog.state, dialog.remote_cseq) == (DialogState.EARLY, None)
    assert from_response(answer(200, CONTACT)).state is DialogState.CONFIRMED


def test_a_2xx_computes_route_and_target_again():
    """RFC 3261 §13.2.2.4."""
    early = from_response(answer(180, CONTACT, *ROUTES))
    dialog = confirm(early, answer(200, "Contact: <sip:new@192.0.2.9>"))
    assert (dialog.route_set, dialog.remote_target) == ((), "sip:new@192.0.2.9")


def test_requests_count_up_and_an_ack_does_not():
    dialog = from_response(answer(200, CONTACT))
    dialog, first = in_dialog_request(dialog, "INFO")
    dialog, ack = in_dialog_request(dialog, "ACK", cseq=5)
    dialog, second = in_dialog_request(dialog, "BYE", (("Reason", "x"),), b"body")
    assert [str(made.cseq) for made in (first, ack, second)] == ["6 INFO", "5 ACK", "7 BYE"]
    assert (second.get("From"), second.get("To")) == (dialog.local, dialog.remote)
    assert (second.get("Reason"), second.body, second.max_forwards) == ("x", b"body", 70)


def test_loose_routers_are_listed():
    """RFC 3261 §12.2.1.1."""
    dialog = from_request(invite(CONTACT, *ROUTES), "u")
    _, made = in_dialog_request(dialog, "BYE")
    assert made.uri == "sip:peer@192.0.2.1:5070"
    assert made.all("Route") == list(dialog.route_set)
    assert next_hop(dialog).host == "p3.example"


def test_a_strict_router_is_asked_by_name():
    """RFC 3261 §12.2.1.1: the target goes to the end of the route."""
    strict = ("Record-Route: <sip:p2.example;method=INVITE;x=1>", "Record-Route: <sip:p1;lr>")
    dialog = from_request(invite(CONTACT, *strict), "u")
    _, made = in_dialog_request(dialog, "BYE")
    assert made.uri == "sip:p2.example;x=1"
    assert made.all("Route") == ["<sip:p1;lr>", "<sip:peer@192.0.2.1:5070>"]
    assert next_hop(dialog).host == "p2.example"


def test_without_routes_the_target_is_next():
    assert next_hop(from_request(invite(CONTACT), "u")).host == "192.0.2.1"


def test_requests_come_in_order():
    """RFC 3261 §12.2.2."""
    dialog = from_request(invite(CONTACT), "u")
    later = receive_request(dialog, _bye(12))
    assert later.remote_cseq == 12
    for number in (11, 12):
        with pytest.raises(RemoteProtocolError) as caught:
            receive_request(later, _bye(number))
        assert caught.value.status == 500
    assert receive_request(from_response(answer(200)), _bye(1)).remote_cseq == 1


def _bye(number):
    data = (
        "BYE sip:us SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK2\r\nFrom: <sip:p@e>;tag=p\r\n"
        f"To: <sip:us@example>;tag=u\r\nCall-ID: c\r\nCSeq: {number} BYE\r\n\r\n"
    )
    return parse(data.encode())


def test_a_target_is_refreshed_by_contact_alone():
    dialog = from_request(invite(CONTACT), "u")
    assert refresh(dialog, invite()) is dialog
    assert refresh(dialog, invite(CONTACT)) is dialog
    assert refresh(dialog, invite("Contact: <sip:x@y>")).remote_target == "sip:x@y"


def test_an_invite_without_contact_makes_no_dialog():
    with pytest.raises(RemoteProtocolError):
        from_request(invite(), "u")


def test_a_response_without_contact_is_forgiven():
    assert from_response(answer(200)).remote_target == "sip:peer@example"


@pytest.mark.parametrize("line", ["Contact: <sip:", "Record-Route: <sip:a", "Record-Route: x y"])
def test_what_cannot_be_read_makes_no_dialog(line):
    """Checked here, so that no later request of ours can fail on it."""
    with pytest.raises(RemoteProtocolError):
        from_request(invite(CONTACT, line) if "Route" in line else invite(line), "u")
    with pytest.raises(RemoteProtocolError):
        from_response(answer(200, line))


def test_sips_is_secure():
    assert from_request(invite(CONTACT, uri="sips:us@example"), "u").secure
    assert not from_request(invite(CONTACT), "u").secure

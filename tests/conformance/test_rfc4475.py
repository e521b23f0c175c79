"""The torture messages of RFC 4475, each judged at the layer that `verdicts.csv` names."""

from __future__ import annotations

import pytest

from callcore.errors import RemoteProtocolError
from callcore.message import Request, Response, parse, render, validate, with_headers
from tests.conformance.judged import FIELDS, FOLDER, HINT, STATUS, table
from tests.conformance.judged import rows as rows_of

ROWS = rows_of()
pytestmark = pytest.mark.skipif(not ROWS, reason=HINT)


def rows(verdict: str) -> pytest.MarkDecorator:
    chosen = [row for row in ROWS if row["verdict"] == verdict]
    return pytest.mark.parametrize("row", chosen, ids=[row["file"] for row in chosen])


def bytes_of(row: dict[str, str]) -> bytes:
    return (FOLDER / row["file"]).read_bytes()


def test_all_49_messages_are_judged():
    judged = {"parse", "structural error", "header error", "validation error"}
    assert len(ROWS) == 49
    assert {row["verdict"] for row in ROWS} == judged
    assert {row["file"] for row in ROWS} == {path.name for path in FOLDER.glob("*.dat")}


def test_the_table_agrees_49_times():
    """What `python -m tests.conformance` prints."""
    assert [row["file"] for row, _, agrees in table() if not agrees] == []


@rows("parse")
def test_a_good_message_is_read_in_every_field_and_sent_on_unchanged(row):
    data = bytes_of(row)
    message = parse(data)
    for name, read in FIELDS.items():
        if name in ("Via", "From", "To", "CSeq", "Call-ID") or message.get(name) is not None:
            read(message)
    if isinstance(message, Request):
        validate(message)
    length = message.get("Content-Length")
    if length is None:
        assert render(message) == data
    else:
        # RFC 3261 §18.3: octets past the end of the body must be discarded (dblreq.dat).
        end = data.index(b"\r\n\r\n") + 4 + int(length)
        assert render(message) == data[:end]
        assert (end == len(data)) == (row["file"] != "dblreq.dat")


@rows("parse")
def test_a_good_message_built_again_from_its_parts_says_the_same(row):
    message = parse(bytes_of(row))
    again = parse(render(with_headers(message, message.headers)))
    assert again.start_line == message.start_line
    assert again.body == message.body
    for name in {name for name, _ in message.headers} - {"Content-Length", "l", "L"}:
        if name.lower().strip() != "content-length":
            assert again.all(name) == message.all(name)
    assert (again.via, again.from_, again.to) == (message.via, message.from_, message.to)
    assert (again.cseq, again.call_id) == (message.cseq, message.call_id)


@rows("structural error")
def test_a_message_that_cannot_be_framed_is_refused_whole(row):
    with pytest.raises(RemoteProtocolError) as caught:
        parse(bytes_of(row))
    assert (caught.value.where, caught.value.status) == (row["where"], 400)


@rows("header error")
def test_a_wrong_field_fails_when_it_is_read(row):
    with pytest.raises(RemoteProtocolError) as caught:
        FIELDS[row["where"]](parse(bytes_of(row)))
    assert (caught.value.where, caught.value.status) == (row["where"], 400)


@rows("validation error")
def test_a_request_that_parses_is_refused_for_what_it_says(row):
    data = bytes_of(row)
    message = parse(data)
    assert not isinstance(message, Response)
    with pytest.raises(RemoteProtocolError) as caught:
        validate(message)
    assert caught.value.status == STATUS.get(row["where"], 400)
    assert render(message) == data


def test_the_second_request_of_a_datagram_is_left_alone():
    """RFC 4475 §3.1.1.8: only the REGISTER is processed."""
    message = parse((FOLDER / "dblreq.dat").read_bytes())
    assert isinstance(message, Request)
    assert (message.method, message.body) == ("REGISTER", b"")


def test_white_space_and_folds_are_seen_through():
    """RFC 4475 §3.1.1.1."""
    message = parse((FOLDER / "wsinv.dat").read_bytes())
    assert isinstance(message, Request)
    assert message.to.tag == "1918181833n"
    assert message.from_.display == 'J Rosenberg \\"'
    assert (message.max_forwards, message.cseq) == (68, (9, "INVITE"))
    assert message.via.branch == "390skdjuw"
    assert [via.split(" ")[0] for via in message.values("Via")] == ["SIP", "SIP", "SIP"]
    assert message.contacts[0].display == 'Quoted string ""'
    assert message.contacts[0].params == {"newparam": "newvalue", "secondparam": None, "q": "0.33"}
    assert message.routes[0].uri.params["lr"] is None


def test_escapes_are_resolved_but_nulls_stay_escaped():
    """RFC 4475 §3.1.1.3 and §3.1.1.4."""
    message = parse((FOLDER / "esc01.dat").read_bytes())
    assert isinstance(message, Request)
    assert message.request_uri.user == "sips:user@example.com"
    assert message.to.uri.user == "user"
    contact = message.contacts[0].uri
    assert (contact.user, contact.params) == ("caller", {"lr": None, "name": "value%41"})
    nulls = parse((FOLDER / "escnull.dat").read_bytes())
    assert [contact.uri.user for contact in nulls.contacts] == ["%00", "%00%00"]

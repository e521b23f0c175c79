"""RTCP as bytes, and what reports say of a leg."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import messages as m
from media import rtcp
from media.rtcp import Heard, Report, Sender, build, parse
from tests.media.wire import REMOTE, Board, rtp, voice

words = st.integers(0, 2**32 - 1)
blocks = st.builds(
    Heard, words, st.integers(0, 255), st.integers(-(2**23), 2**23 - 1), words, words, words, words
)
reports = st.builds(
    Report,
    words,
    st.none() | st.builds(Sender, st.integers(0, 2**64 - 1), words, words, words),
    st.lists(blocks, max_size=31).map(tuple),
    st.booleans(),
)


@given(reports, st.text(max_size=300))
def test_what_is_built_is_read(report, name):
    assert parse(build(report, name)) == report or len(build(report, name)) > rtcp.MOST_BYTES


@given(st.binary(max_size=200))
def test_any_bytes_are_a_report_or_none(data):
    found = parse(data)
    assert found is None or isinstance(found, Report)


@given(reports, st.data())
def test_a_torn_report_is_none_or_whole_before_the_tear(report, data):
    packet = build(report, "x")
    cut = data.draw(st.integers(0, len(packet) - 1))
    found = parse(packet[:cut])
    assert found is None or (found.ssrc, found.heard) == (report.ssrc, report.heard)


@pytest.mark.parametrize(
    "packet",
    [
        b"\x80\xcb\x00\x01" + bytes(4),  # a goodbye alone: A.2 wants a report first
        b"\x40\xc9\x00\x01" + bytes(4),  # version 1
        b"\x81\xc9\x00\x01" + bytes(4),  # a block that is not there
        b"\x80\xc9\xff\xff" + bytes(4),
        b"\x80\xc9\x00\x01" + bytes(3),
    ],
)
def test_what_is_no_report(packet):
    assert parse(packet) is None


def connected() -> Board:
    board = Board()
    for number in range(300):
        board.wire.put(0, voice(number))
        board.step()
    return board


def test_a_leg_reports_each_five_seconds_what_it_sent_and_heard():
    board = connected()
    ((leg, packet),) = board.wire.told
    found = parse(packet)
    assert found is not None
    assert found.sender is not None
    assert (leg, found.ssrc) == (0, 77)
    assert found.sender.packets in (249, 250)
    assert found.sender.ntp >> 32 == int(board.wire.time) + rtcp.NTP_EPOCH
    ((heard),) = found.heard
    assert (heard.ssrc, heard.lost, heard.fraction, heard.jitter) == (5, 0, 0, 0)
    assert 240 <= heard.highest <= 260


def test_lost_packets_are_told_as_a_fraction_and_in_all():
    board = Board()
    for number in range(300):
        if number % 10 != 3:
            board.wire.put(0, voice(number))
        board.step()
    found = parse(board.wire.told[0][1])
    assert found is not None
    assert 23 <= found.heard[0].lost <= 26
    assert 23 <= found.heard[0].fraction <= 27  # of 256


def test_the_round_trip_is_what_is_left_of_our_stamp():
    """RFC 3550 §6.4.1, figure 2: our report, held by the party for 1.5 s, is back after 1.56 s."""
    board = connected()
    ours = parse(board.wire.told[0][1])
    assert ours is not None
    assert ours.sender is not None
    block = Heard(77, 26, 30, 250, 80, rtcp.middle(ours.sender.ntp), int(1.5 * 65536))
    theirs = build(Report(5, Sender(1 << 40, 0, 1, 160), (block,)), "phone")
    board.wire.control.append((0, REMOTE, theirs, board.wire.time + 1.56))
    board.step(20)
    board.switch.stop()
    quality = board.events[-1].quality
    assert quality.round_trip_ms == pytest.approx(60, abs=0.1)
    assert quality.remote_loss == pytest.approx(30 / 320, abs=0.01)
    assert quality.remote_jitter_ms == 10
    assert quality.mos > 4.2
    assert quality.remote_mos < 3.5


def test_who_sent_a_moment_ago_still_reports_as_a_sender():
    """RFC 3550 §6.4: until a whole interval has gone by in silence.

    us                       party
     |<- re-INVITE, sendonly --|   held: we send no more
     |------------ SR -------->|   RTCP each 5 s
     |------------ SR -------->|
     |------------ RR -------->|
    """
    board = Board()
    board.wire.put(0, voice(0))
    board.step(140)
    board.obey(m.Connect("a", *REMOTE, "PCMA", 8, 101, "recvonly"))
    board.step(3 * 250)
    told = [parse(packet) for _, packet in board.wire.told]
    assert [None if one is None else one.sender is not None for one in told] == [True, True, False]
    assert told[0] is not None
    assert told[0].sender is not None
    assert told[0].sender.packets == board.count("packets_out") == 140


def test_the_last_report_says_goodbye():
    board = connected()
    board.switch.stop()
    found = parse(board.wire.told[-1][1])
    assert found is not None
    assert found.goodbye


def test_reports_of_strangers_and_torn_ones_are_counted_and_change_nothing():
    board = connected()
    good = build(Report(5, None, (Heard(77, 255, 9999, 0, 0),)), "x")
    board.wire.control += [
        (0, ("198.51.100.1", 5), good, 0.0),
        (0, REMOTE, good[:11], 0.0),
        (0, REMOTE, build(Report(5, None, (Heard(78, 255, 9999, 0, 0),)), "x"), 0.0),
    ]
    board.step(20)
    assert (board.count("strangers"), board.count("malformed")) == (1, 1)
    board.switch.stop()
    assert board.events[-1].quality.remote_loss is None


def test_a_report_on_the_port_of_rtp_is_no_voice():
    """RFC 5761 §4."""
    board = connected()
    board.wire.put(0, build(Report(5, None, (Heard(77, 64, 100, 0, 160),)), "x"))
    board.step(2)
    assert board.count("unnegotiated") == board.count("malformed") == 0
    board.switch.stop()
    assert board.events[-1].quality.remote_jitter_ms == 20


def test_late_arrivals_are_jitter():
    board = Board()
    for number in range(400):
        if number % 4 == 0:
            board.step()  # nothing comes in this tick, two packets in the next
            board.wire.put(0, voice(number))
            board.wire.put(0, voice(number + 1))
            board.step()
        elif number % 4 > 1:
            board.wire.put(0, voice(number))
            board.step()
    board.switch.stop()
    assert 5 < board.events[-1].quality.jitter_ms < 20


def test_a_jump_of_the_timestamps_is_no_jitter():
    board = Board()
    for number in range(200):
        shift = 0 if number < 100 else 10_000_000
        board.wire.put(0, rtp(number, number * 160 + shift, bytes(160)))
        board.step()
    board.switch.stop()
    assert board.events[-1].quality.jitter_ms == 0


def test_items_and_goodbyes_of_nobody_spoil_no_report():
    """RFC 3550 §6.5, §6.6: a count of nought is valid, but useless."""
    report = Report(5, None, (Heard(77, 26, 30, 250, 80),))
    packet = build(report, "phone")
    assert parse(packet + b"\x80\xca\x00\x00") == report
    assert parse(packet + b"\x80\xcb\x00\x00") == parse(packet + b"\x81\xcb\x00\x01" + bytes(4))


@given(reports, st.text(max_size=80))
def test_a_name_is_read_back(report, name):
    packet = build(report, name)
    if parse(packet) is not None:
        assert rtcp.cname(packet) == name


@given(st.binary(max_size=200))
def test_any_report_has_a_name_or_none(data):
    if parse(data) is not None:
        assert isinstance(rtcp.cname(data), str)


def test_who_has_chosen_our_ssrc_is_left_with_it_and_our_name_stays():
    """RFC 3550 §8.2: a goodbye to the old number; §6.4.1: counts begin anew; §6.5.1: one name."""
    board = Board()
    for number in range(150):
        board.wire.put(0, voice(number))
        board.step()
    board.wire.told.clear()
    for number in range(150, 500):
        board.wire.put(0, voice(number, ssrc=77))
        board.step()
    goodbye, *later = [packet for _, packet in board.wire.told]
    old, new = parse(goodbye), parse(later[0])
    assert old is not None
    assert new is not None
    assert new.sender is not None
    assert (old.ssrc, old.goodbye, new.goodbye) == (77, True, False)
    assert new.ssrc != 77
    assert new.sender.packets < 300
    assert rtcp.cname(goodbye) == rtcp.cname(later[0])
    assert len(rtcp.cname(goodbye)) == 16  # RFC 7022 §4.2: 96 bits by base64
    assert board.count("collisions") == 1

"""Sessions of browsers in memory: who gets in, what is heard, what is dropped."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import rtcp
from media.g711 import PCMA, decode, encode
from media.gateway import messages as m
from media.gateway.exchange import Exchange
from media.gateway.session import Patience
from media.gateway.translate import Timeline
from media.io.gateway import make_identity
from tests.media.gateway.browser import ALAW, Browser, rtp, tone
from tests.media.phones import power

HOME = ("192.0.2.7", 4000)
PLANE = ("127.0.0.1", 20000)
CERTIFICATE, KEY, FINGERPRINT = make_identity()


class House:
    """An exchange whose wires end in lists and whose browsers are called by their addresses."""

    def __init__(self) -> None:
        self.reports: list[m.Report] = []
        self.plane: list[tuple[bytes, tuple[str, int]]] = []
        self.browsers: dict[tuple[str, int], Browser] = {}
        self.exchange = Exchange(Patience(10, 30), self, self.reports.append)
        self.exchange.obey(m.Identity(CERTIFICATE, KEY), 0.0)

    def to_browser(self, data: bytes, address: tuple[str, int]) -> None:
        self.browsers[address].hear(data)

    def to_plane(self, data: bytes, address: tuple[str, int]) -> None:
        self.plane.append((data, address))

    def pump(self, now: float = 0.0) -> None:
        """Until no browser has anything to send."""
        while any(browser.out for browser in self.browsers.values()):
            for address, browser in self.browsers.items():
                datagrams, browser.out = browser.out, []
                for datagram in datagrams:
                    self.exchange.from_browser(datagram, address, now)

    def enter(
        self, browser: Browser, name: str = "leg", at: tuple[str, int] = HOME, **changes: object
    ) -> None:
        """Everything up to the keys."""
        self.browsers[at] = browser
        plane = ("127.0.0.1", PLANE[1] + 2 * (len(self.browsers) - 1))
        self.exchange.obey(browser.opened(name, plane), 0.0)
        self.exchange.obey(browser.agreed(name, **changes), 0.0)
        self.exchange.from_browser(browser.check(), at, 0.0)
        if browser.active:
            browser.shake()
        self.pump()


@pytest.fixture
def house() -> House:
    return House()


def test_a_browser_is_let_in_and_heard_and_hears(house: House):
    """
    browser                gateway            plane
       |--- check, USE-CANDIDATE ->|            |
       |<-- DTLS handshake ------->|            |
       |==== SRTP, Opus 1150 Hz ==>|== A-law ==>|
       |<=== SRTP, Opus 440 Hz ====|<= A-law ===|
    """
    browser = Browser()
    house.enter(browser)
    assert house.reports == [m.Connected("leg")]
    for frame in tone(1150, 50):
        house.exchange.from_browser(browser.say(frame), HOME, 0.0)
    for number, frame in enumerate(tone(440, 50)):
        packet = rtp(8, number, 160 * number, encode(frame, PCMA).tobytes())
        house.exchange.from_plane(packet, PLANE)
    plain = np.frombuffer(b"".join(data[12:] for data, _ in house.plane), np.uint8)
    assert power(decode(plain, PCMA)[800:], 1150) > 0.98
    assert power(browser.voice()[800:], 440) > 0.98
    assert {address for _, address in house.plane} == {PLANE}


def test_sequence_numbers_and_time_go_through_their_wrap(house: House):
    browser = Browser()
    house.enter(browser)
    for frame in tone(1150, 20):
        house.exchange.from_browser(browser.say(frame), HOME, 0.0)
    heads = [struct.unpack("!BBHII", data[:12]) for data, _ in house.plane]
    assert [head[2] for head in heads] == [(65530 + n) & 0xFFFF for n in range(20)]
    steps = {(after[3] - before[3]) & 0xFFFFFFFF for before, after in itertools.pairwise(heads)}
    assert steps == {160}
    assert {(head[1], head[4]) for head in heads} == {(8, 0xCAFE)}


@given(st.lists(st.integers(-48_000, 48_000), max_size=60), st.integers(0, 2**32 - 1))
def test_a_timeline_keeps_distances_whatever_the_order(steps: list[int], first: int):
    line = Timeline(1, 6)
    start, total = line.turn(first, 1), first
    for step in steps:
        total += step
        turned = (line.turn(total & 0xFFFFFFFF, 1) - start) & 0xFFFFFFFF
        assert turned == (total // 6 - first // 6) & 0xFFFFFFFF


def test_keys_pass_both_ways_with_their_clock_turned(house: House):
    """RFC 4733: 160 ms are 7680 at 48 kHz, and 1280 at 8 kHz."""
    browser = Browser()
    house.enter(browser)
    packet = browser.protect(110, struct.pack("!BBH", 5, 0x8A, 7680), marker=True)
    house.exchange.from_browser(packet, HOME, 0.0)
    ((data, _),) = house.plane
    assert (data[1], data[12:]) == (0x80 | 101, struct.pack("!BBH", 5, 0x8A, 1280))
    house.exchange.from_plane(rtp(101, 1, 160, struct.pack("!BBH", 11, 0x0A, 1280)), PLANE)
    house.exchange.from_plane(rtp(101, 2, 160, struct.pack("!BBH", 11, 0x0A, 20_000)), PLANE)
    assert [p[12:] for p in browser.heard] == [
        struct.pack("!BBH", 11, 0x0A, 7680),
        struct.pack("!BBH", 11, 0x0A, 65535),
    ]
    assert [p[1] for p in browser.heard] == [110, 110]


def test_g711_passes_untouched(house: House):
    browser = Browser()
    house.enter(browser, codec=ALAW)
    house.exchange.from_browser(browser.protect(8, b"\x55" * 160, 160), HOME, 0.0)
    house.exchange.from_plane(rtp(8, 3, 480, b"\xd5" * 160), PLANE)
    assert house.plane[0][0][12:] == b"\x55" * 160
    assert browser.heard[0][12:] == b"\xd5" * 160


def test_we_are_the_dtls_client_when_the_browser_will_not_be(house: House):
    browser = Browser(active=False)
    house.enter(browser)
    assert house.reports == [m.Connected("leg")]


def test_a_handshake_may_be_over_before_the_answer_is_known(house: House):
    """The browser begins when it sends its 200; no voice passes before we know whose it is."""
    browser = Browser()
    house.browsers[HOME] = browser
    house.exchange.obey(browser.opened(), 0.0)
    house.exchange.from_browser(browser.check(), HOME, 0.0)
    browser.shake()
    house.pump()
    house.exchange.from_browser(browser.say(tone(440, 1)[0]), HOME, 0.0)
    assert (house.reports, house.plane) == ([], [])
    house.exchange.obey(browser.agreed(), 0.0)
    house.exchange.from_browser(browser.say(tone(440, 1)[0]), HOME, 0.0)
    assert house.reports == [m.Connected("leg")]
    assert len(house.plane) == 1


def test_another_certificate_than_announced_is_not_let_in(house: House):
    browser = Browser()
    house.enter(browser, fingerprints=(("sha-256", Browser().fingerprint[1]),))
    assert house.reports == [
        m.Failed("leg", "the certificate is not the one of the session description")
    ]
    assert browser.sending is None  # our last flight never came


def test_who_does_not_know_the_password_is_not_answered(house: House):
    browser, stranger = Browser(), Browser(password="q" * 24)
    house.browsers[HOME] = stranger
    house.exchange.obey(browser.opened(), 0.0)
    house.exchange.from_browser(stranger.check(), HOME, 0.0)
    stranger.shake()
    house.pump()
    assert not stranger.answered
    assert house.exchange.counts["strangers"] == 2


def test_who_wants_us_to_control_is_told_that_a_lite_side_never_does(house: House):
    browser = Browser()
    house.browsers[HOME] = browser
    house.exchange.obey(browser.opened(), 0.0)
    check = browser.check(**{"ICE-CONTROLLED": 1})
    house.exchange.from_browser(check, HOME, 0.0)
    assert browser.answered[0].attributes["ERROR-CODE"][0] == 487


def test_a_browser_that_moves_is_followed(house: House):
    """A laptop from one network to the next: the same session, another address."""
    browser, away = Browser(), ("198.51.100.9", 999)
    house.enter(browser)
    house.browsers[away] = browser
    house.exchange.from_browser(browser.check(nominate=False), away, 1.0)
    house.exchange.from_plane(rtp(8, 1, 160, b"\xd5" * 160), PLANE)
    house.browsers[HOME] = Browser()
    house.exchange.from_browser(browser.check(), away, 2.0)
    house.exchange.from_plane(rtp(8, 2, 320, b"\xd5" * 160), PLANE)
    assert len(browser.heard) == 2
    house.exchange.from_browser(browser.say(tone(440, 1)[0]), away, 2.0)
    assert len(house.plane) == 1


def test_two_browsers_in_one_process_do_not_hear_each_other_s_calls(house: House):
    first, second, other = Browser(ufrag="aaaa"), Browser(ufrag="bbbb"), ("192.0.2.8", 4000)
    house.enter(first, "one")
    house.enter(second, "two", other)
    for number, (low, high) in enumerate(zip(tone(440, 30), tone(1000, 30), strict=True)):
        for frame, port in ((low, 20000), (high, 20002)):
            packet = rtp(8, number, 160 * number, encode(frame, PCMA).tobytes())
            house.exchange.from_plane(packet, ("127.0.0.1", port))
    assert power(first.voice()[800:], 440) > 0.98
    assert power(second.voice()[800:], 1000) > 0.98
    assert (len(house.exchange), house.exchange.connected) == (2, 2)


@pytest.mark.parametrize(
    ("until", "why"),
    [
        (lambda house, browser: None, "no connectivity check came"),
        (
            lambda house, browser: house.exchange.from_browser(browser.check(), HOME, 0.0),
            "no DTLS handshake",
        ),
    ],
)
def test_a_browser_that_never_comes_is_given_up(
    house: House, until: Callable[[House, Browser], None], why: str
):
    browser = Browser()
    house.browsers[HOME] = browser
    house.exchange.obey(browser.opened(), 0.0)
    house.exchange.fire(100.0)  # it rings for as long as it likes
    house.exchange.obey(browser.agreed(), 100.0)
    until(house, browser)
    house.exchange.fire(109.9)
    assert not house.reports
    house.exchange.fire(110.0)
    house.exchange.fire(111.0)
    assert house.reports == [m.Failed("leg", why)]


def test_a_browser_without_consent_is_gone(house: House):
    """RFC 7675 §5.1: 30 s after the last check that was proven."""
    browser = Browser()
    house.enter(browser)
    house.exchange.from_browser(browser.check(), HOME, 20.0)
    house.exchange.fire(49.9)
    house.exchange.fire(50.0)
    assert house.reports[1:] == [m.Failed("leg", "the browser is silent")]


def test_ice_starts_anew_with_other_credentials_and_the_keys_stay(house: House):
    browser = Browser()
    house.enter(browser)
    again = browser.agreed(ufrag="newer", password="n" * 24)
    house.exchange.obey(again, 5.0)
    old = browser.check()
    house.exchange.from_browser(old, HOME, 5.0)
    assert house.exchange.counts["strangers"] == 1
    browser.ufrag, browser.password = "newer", "n" * 24
    house.exchange.from_browser(browser.check(), HOME, 5.0)
    house.exchange.from_browser(browser.say(tone(440, 1)[0]), HOME, 5.0)
    assert len(house.plane) == 1
    assert house.reports == [m.Connected("leg")]


def test_a_moved_leg_of_the_plane_is_followed(house: House):
    browser = Browser()
    house.enter(browser)
    house.exchange.obey(m.Aim("leg", ("127.0.0.1", 20444)), 0.0)
    house.exchange.from_browser(browser.say(tone(440, 1)[0]), HOME, 0.0)
    house.exchange.from_plane(rtp(8, 1, 160, b"\xd5" * 160), PLANE)
    house.exchange.from_plane(rtp(8, 2, 320, b"\xd5" * 160), ("127.0.0.1", 20444))
    assert house.plane[0][1] == ("127.0.0.1", 20444)
    assert len(browser.heard) == 1


def test_a_closed_session_is_forgotten_and_the_browser_told(house: House):
    browser = Browser()
    house.enter(browser)
    house.exchange.obey(m.Close("leg"), 0.0)
    assert browser.association.closed
    house.exchange.from_browser(browser.say(tone(440, 1)[0]), HOME, 0.0)
    house.exchange.from_plane(rtp(8, 1, 160, b"\xd5" * 160), PLANE)
    house.exchange.obey(browser.agreed(), 0.0)
    assert (len(house.exchange), house.plane, browser.heard) == (0, [], [])


@pytest.mark.parametrize(
    ("kind", "payload", "counter"),
    [
        (96, b"x" * 40, "unnegotiated"),
        (111, b"", "malformed"),
        (110, b"\x05", "malformed"),
    ],
)
def test_what_was_not_agreed_or_makes_no_sense_is_counted(
    house: House, kind: int, payload: bytes, counter: str
):
    browser = Browser()
    house.enter(browser)
    house.exchange.from_browser(browser.protect(kind, payload), HOME, 0.0)
    assert house.exchange.counts[counter] == 1


ENTERED = House()
ENTERED.enter(Browser())


@given(st.binary(max_size=120), st.booleans())
def test_no_datagram_of_anybody_does_harm(data: bytes, known: bool):
    ENTERED.exchange.from_browser(data, HOME if known else ("203.0.113.1", 5), 0.0)
    ENTERED.exchange.from_plane(data, PLANE)


def report(ssrc: int, timestamp: int, jitter: int) -> bytes:
    sender = rtcp.Sender(rtcp.ntp(1.8e9), timestamp, 5, 800)
    heard = rtcp.Heard(0xBEEF, 12, 3, 70000, jitter, last=0x1234, delay=65536)
    return rtcp.build(rtcp.Report(ssrc, sender, (heard,)), "somebody@example")


def test_reports_pass_both_ways_by_the_other_sides_clock(house: House):
    """
    browser                 gateway              plane
       |== SR, RR: 48 kHz =====>|== SR, RR: 8 kHz =>|
       |<= SR, RR: 48 kHz ======|<= SR, RR: 8 kHz ==|
    """
    browser = Browser()
    house.enter(browser)
    for frame in tone(1150, 2):
        house.exchange.from_browser(browser.say(frame), HOME, 0.0)
    last = int.from_bytes(house.plane[-1][0][4:8], "big")
    told = report(0xCAFE, (browser.timestamp - 960 + 480) & 0xFFFFFFFF, 960)
    house.exchange.from_browser(browser.tell(told), HOME, 0.0)
    inward = rtcp.parse(house.plane[-1][0])
    assert inward is not None
    assert inward.sender is not None
    assert inward.sender.timestamp == (last + 80) & 0xFFFFFFFF
    assert inward.heard == (rtcp.Heard(0xBEEF, 12, 3, 70000, 160, last=0x1234, delay=65536),)
    packet = rtp(8, 1, 8000, encode(tone(440, 1)[0], PCMA).tobytes())
    house.exchange.from_plane(packet, PLANE)
    house.exchange.from_plane(report(0xCAFE, 8160, 16), PLANE)
    outward = rtcp.parse(browser.reports[-1])
    assert outward is not None
    assert outward.sender is not None
    assert (outward.sender.timestamp, outward.heard[0].jitter) == (48960, 96)
    assert (house.exchange.counts["packets_in"], house.exchange.counts["packets_out"]) == (2, 1)


def test_a_report_of_a_stream_that_never_came_says_nothing_of_its_time(house: House):
    browser = Browser()
    house.enter(browser)
    house.exchange.from_browser(browser.tell(report(0xABCD, 1, 48)), HOME, 0.0)
    (packet,) = [data for data, _ in house.plane]
    told = rtcp.parse(packet)
    assert told is not None
    assert (told.sender, told.heard[0].jitter) == (None, 8)


def test_a_report_that_is_not_the_browsers_is_malformed(house: House):
    browser = Browser()
    house.enter(browser)
    house.exchange.from_browser(report(0xCAFE, 1, 48), HOME, 0.0)
    feedback = bytes([0x81, 205, 0, 3]) + bytes(12)  # RFC 4585: for the next hop, which we are
    house.exchange.from_browser(browser.tell(feedback), HOME, 0.0)
    assert house.plane == []
    assert house.exchange.counts["malformed"] == 1


def test_a_browser_keeps_its_name_and_reports_are_counted(house: House):
    """RFC 7022: what is called by one name on one side is so on the other."""
    browser = Browser()
    house.enter(browser)
    house.exchange.from_browser(browser.tell(report(0xABCD, 1, 48)), HOME, 0.0)
    house.exchange.from_plane(report(0xCAFE, 8160, 16), PLANE)
    assert rtcp.cname(house.plane[-1][0]) == "somebody@example"
    assert rtcp.cname(browser.reports[-1]) == "somebody@example"
    counts = house.exchange.counts
    assert (counts["reports_in"], counts["reports_out"]) == (1, 1)


def test_answers_to_checks_are_marked_as_stun(house: House):
    """RFC 8489 §14.7, last of all attributes."""
    browser = Browser()
    house.enter(browser)
    assert browser.answered
    for answer in browser.answered:
        assert list(answer.attributes)[-1] == "FINGERPRINT"


def test_a_browser_may_change_its_network_any_number_of_times(house: House):
    """Each time it starts ICE anew and tries several addresses, of which one stays."""
    browser = Browser()
    house.enter(browser)
    for move in range(1, 9):
        again = browser.agreed(ufrag=f"local{move}", password="q" * 24)
        house.exchange.obey(again, float(move))
        browser.ufrag, browser.password = again.ufrag, again.password
        browser.answered.clear()
        for way in range(4):
            at = ("192.0.2.7", 5000 + 10 * move + way)
            house.browsers[at] = browser
            house.exchange.from_browser(browser.check(nominate=way == 3), at, float(move))
        assert len(browser.answered) == 4
    heard = len(browser.heard)
    packet = rtp(8, 1, 8000, encode(tone(440, 1)[0], PCMA).tobytes())
    house.exchange.from_plane(packet, PLANE)
    assert len(browser.heard) == heard + 1
    house.exchange.from_browser(browser.say(tone(1150, 1)[0]), HOME, 9.0)  # long left
    assert house.exchange.counts["strangers"] == 1

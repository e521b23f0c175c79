"""Key presses as RTP events, RFC 4733: one report a press, however many packets told it."""

from dataclasses import dataclass, field

from media.errors import LocalProtocolError
from media.types import FRAME, TICK_SECONDS

DIGITS = "0123456789*#ABCD"
QUIET_TICKS = round(0.2 / TICK_SECONDS)  # §2.5.2.2: an event whose end was lost ends by silence
LONGEST = 0xFFFF  # samples: a longer event is sent in segments
VOLUME = 10  # -dBm0
END = 0x80
END_PACKETS = 3  # §2.5.1.4: the last one is sent three times
LOST_PACKETS = 50  # how far a packet of an old press may come after a newer one


@dataclass(slots=True)
class Press:
    """The event that a leg is sending, or the last one it sent."""

    timestamp: int
    ssrc: int
    digit: int
    duration: int  # samples
    tick: int
    ended: bool
    before: int = 0  # samples of the segments before this one
    stamps: dict[int, int] = field(default_factory=dict)  # on each leg that it is sent by

    def stamp(self, leg: int, clock: int) -> int:
        """Its timestamp in that leg's stream, whose clock stands there now."""
        return self.stamps.setdefault(leg, clock)


@dataclass(frozen=True, slots=True)
class Pressed:
    leg: int
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Packet:
    """A telephone-event packet: its RTP numbers and its four octets of payload."""

    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class Keys:
    """The presses of all legs; `hear` for each packet, `expire` for lost ends."""

    def __init__(self) -> None:
        self.presses: dict[int, Press] = {}

    def forget(self, leg: int) -> None:
        self.presses.pop(leg, None)

    def hear(self, leg: int, packet: Packet, tick: int) -> tuple[Press | None, list[Pressed]]:
        """The press that the packet belongs to (None: none, or an old one), and those that end.

        §2.3: event, end bit, volume, duration. §2.5.1.2: one event keeps one timestamp.
        """
        digit, flags = packet.payload[0], packet.payload[1]
        if digit >= len(DIGITS):
            return None, []
        duration = int.from_bytes(packet.payload[2:4], "big")
        over: list[Pressed] = []
        press = self.presses.get(leg)
        if press is None or (press.timestamp, press.ssrc) != (packet.timestamp, packet.ssrc):
            if press is not None and _overtaken(press, packet):
                return None, []
            before = _segments(press, packet, digit)
            if press is not None and not press.ended and not before:
                over.append(_pressed(leg, press))
            stamps = {}
            if press is not None and before:
                stamps = {ear: ts + LONGEST & 0xFFFFFFFF for ear, ts in press.stamps.items()}
            press = Press(packet.timestamp, packet.ssrc, digit, 0, tick, False, before, stamps)
            self.presses[leg] = press
        press.tick = tick
        if not press.ended:
            press.duration = max(press.duration, duration)
            if flags & END:
                press.ended = True
                over.append(_pressed(leg, press))
        return press, over

    def expire(self, tick: int) -> list[Pressed]:
        """Presses whose end packets were all lost."""
        over = []
        for leg, press in self.presses.items():
            if not press.ended and tick - press.tick > QUIET_TICKS:
                press.ended = True
                over.append(_pressed(leg, press))
        return over


def _overtaken(press: Press, packet: Packet) -> bool:
    """A packet of a press before this one, that a reordering network brings now."""
    behind = (press.timestamp - packet.timestamp) & 0xFFFFFFFF
    return press.ssrc == packet.ssrc and 0 < behind < LOST_PACKETS * FRAME


def _segments(press: Press | None, packet: Packet, digit: int) -> int:
    """§2.5.1.3: samples said before where a long event goes on in a new segment, else 0."""
    if press is None or press.ended or (press.digit, press.ssrc) != (digit, packet.ssrc):
        return 0
    follows = (press.timestamp + LONGEST) & 0xFFFFFFFF == packet.timestamp
    return press.before + LONGEST if follows else 0


def _pressed(leg: int, press: Press) -> Pressed:
    return Pressed(leg, DIGITS[press.digit], (press.before + press.duration) // 8)


@dataclass(slots=True)
class Dial:
    """Digits that a leg is to send, and how far it is with the first of them."""

    digits: list[int]
    tone_ticks: int
    gap_ticks: int
    tick: int = 0  # of the present digit
    press: Press | None = None


class Dialler:
    """Presses keys for legs: the packets of RFC 4733 that are due in each tick."""

    def __init__(self) -> None:
        self.dials: dict[int, Dial] = {}

    def dial(self, leg: int, digits: str, tone_ticks: int, gap_ticks: int) -> None:
        """Queue digits, which must be of DIGITS, behind those that are being sent."""
        codes = [DIGITS.index(digit) for digit in digits]
        if leg in self.dials:
            self.dials[leg].digits += codes
        else:
            self.dials[leg] = Dial(codes, tone_ticks, gap_ticks)

    def forget(self, leg: int) -> None:
        self.dials.pop(leg, None)

    def step(self, clock: dict[int, int]) -> tuple[list[tuple[int, Press, bytes]], list[int]]:
        """(leg, press, payload) for every packet due, and legs that are through.

        `clock` has the present RTP timestamp of each leg that dials. §2.5.1.4: an update each
        tick; the end three times, one tick after the other.
        """
        due: list[tuple[int, Press, bytes]] = []
        through = []
        for leg, dial in self.dials.items():
            if dial.press is None:
                dial.press = Press(clock[leg], 0, dial.digits[0], 0, 0, False)
            press = dial.press
            dial.tick += 1
            if dial.tick < dial.tone_ticks + END_PACKETS:
                press.duration = min(dial.tick, dial.tone_ticks) * FRAME
                press.ended = dial.tick >= dial.tone_ticks
                due.append((leg, press, _payload(press)))
            elif dial.tick >= dial.tone_ticks + dial.gap_ticks:
                dial.digits.pop(0)
                dial.tick, dial.press = 0, None
                if not dial.digits:
                    through.append(leg)
        for leg in through:
            del self.dials[leg]
        return due, through


def _payload(press: Press) -> bytes:
    flags = (END if press.ended else 0) | VOLUME
    return bytes([press.digit, flags]) + press.duration.to_bytes(2, "big")


def check_digits(digits: str) -> None:
    """Only keys that a telephone has: LocalProtocolError."""
    wrong = sorted(set(digits) - set(DIGITS))
    if wrong or not digits:
        raise LocalProtocolError(f"{''.join(wrong) or 'nothing'} cannot be dialled; {DIGITS} can")

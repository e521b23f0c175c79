"""Key presses as RTP events, RFC 4733: one report a press, however many packets told it."""

from dataclasses import dataclass

from media.types import TICK_SECONDS

DIGITS = "0123456789*#ABCD"
QUIET_TICKS = round(0.2 / TICK_SECONDS)  # §2.5.2.2: an event whose end was lost ends by silence


@dataclass(slots=True)
class Press:
    """The event that a leg is sending, or the last one it sent."""

    timestamp: int
    ssrc: int
    digit: int
    duration: int  # samples
    tick: int
    ended: bool
    relay_ts: int  # the timestamp it has on the other leg


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

    def hear(
        self, leg: int, packet: Packet, tick: int, relay_ts: int
    ) -> tuple[Press | None, list[Pressed]]:
        """The press that the packet belongs to (None: not a key), and presses that are over.

        §2.3: event, end bit, volume, duration. §2.5.1.2: one event keeps one timestamp.
        """
        digit, flags = packet.payload[0], packet.payload[1]
        if digit >= len(DIGITS):
            return None, []
        duration = int.from_bytes(packet.payload[2:4], "big")
        over: list[Pressed] = []
        press = self.presses.get(leg)
        if press is None or (press.timestamp, press.ssrc) != (packet.timestamp, packet.ssrc):
            if press is not None and not press.ended:
                over.append(_pressed(leg, press))
            press = Press(packet.timestamp, packet.ssrc, digit, 0, tick, False, relay_ts)
            self.presses[leg] = press
        press.tick = tick
        if not press.ended:
            press.duration = max(press.duration, duration)
            if flags & 0x80:
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


def _pressed(leg: int, press: Press) -> Pressed:
    return Pressed(leg, DIGITS[press.digit], press.duration // 8)

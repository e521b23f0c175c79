"""From whom a leg hears: symmetric RTP (RFC 4961) learnt from valid packets only.

Who sends from where the SDP says is believed at once and for ever: whoever came first from
elsewhere was quicker, or guessed, and gives way. Any other source needs a row of packets, and
where one is latched, its silence and its host, or that of the SDP.

The packets judged here came to the leg's open socket; once a source is latched, its packets come
through a connected socket of their own and only the SSRC is left to check.
"""

from dataclasses import dataclass

from media.legs import Legs, Source
from media.types import TICK_SECONDS

PROBATION = 3  # packets in sequence from a source that the SDP did not name
NEW_SSRC_PACKETS = 2  # RFC 3550 A.1: MIN_SEQUENTIAL
RELATCH_TICKS = round(2 / TICK_SECONDS)


@dataclass(frozen=True, slots=True)
class Candidate:
    source: Source
    ssrc: int
    sequence: int
    seen: int


class Latch:
    """One candidate a leg at most, so that strangers cannot fill memory."""

    def __init__(self, legs: Legs) -> None:
        self.legs = legs
        self.candidates: dict[int, Candidate] = {}

    def forget(self, leg: int) -> None:
        self.legs.unlatch(leg)
        self.candidates.pop(leg, None)

    def judge(self, leg: int, source: Source, ssrc: int, sequence: int, tick: int) -> str:
        """ "accept", "latch" (accept, and it is a new source) or "stranger", for a valid packet."""
        legs = self.legs
        if legs.latched[leg] and source == legs.source[leg]:
            return "accept" if ssrc == legs.ssrc[leg] else self._new_ssrc(leg, ssrc, sequence)
        if source != legs.remote[leg]:
            if legs.latched[leg] and not self._may_move(leg, source, tick):
                return "stranger"
            if self._seen(leg, source, ssrc, sequence) < PROBATION:
                return "stranger"
        legs.latch(leg, source, ssrc, sequence)
        self.candidates.pop(leg, None)
        return "latch"

    def _may_move(self, leg: int, source: Source, tick: int) -> bool:
        """A party that is silent may come again from another port, as behind a NAT that forgot."""
        legs = self.legs
        if tick - int(legs.heard_tick[leg]) < RELATCH_TICKS:
            return False
        hosts = [known[0] for known in (legs.remote[leg], legs.source[leg]) if known is not None]
        return bool(legs.accept_any[leg]) or source[0] in hosts

    def _new_ssrc(self, leg: int, ssrc: int, sequence: int) -> str:
        """RFC 3550 §8.2: the same address with another SSRC is another sender until it lasts."""
        source = self.legs.source[leg]
        assert source is not None
        if self._seen(leg, source, ssrc, sequence) < NEW_SSRC_PACKETS:
            return "stranger"
        self.legs.latch(leg, source, ssrc, sequence)
        self.candidates.pop(leg, None)
        return "resync"

    def _seen(self, leg: int, source: Source, ssrc: int, sequence: int) -> int:
        """How many packets in sequence this candidate has sent, this one included."""
        last = self.candidates.get(leg)
        follows = (
            last is not None
            and (last.source, last.ssrc) == (source, ssrc)
            and (last.sequence + 1) & 0xFFFF == sequence
        )
        seen = last.seen + 1 if last is not None and follows else 1
        self.candidates[leg] = Candidate(source, ssrc, sequence, seen)
        return seen

"""Who hears whom: every feature of a bridge is a small matrix of gains, made from roles.

                  hears                      is heard by
    caller        talkers                    everybody
    agent         talkers and whisperers     everybody
    third         talkers                    everybody
    barge         talkers                    everybody
    whisper       talkers                    agents
    monitor       talkers                    nobody

Talkers are callers, agents, third parties and those who barge in. Nobody hears themselves, a muted
party is heard by nobody, and a held one neither hears nor is heard: music is what it gets.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from media.errors import LocalProtocolError

MOST_PARTIES = 64
MOST_GAIN_DB = 20.0  # beyond it speech is only clipped
MOST_GAIN = 10.0  # the same as an amplitude

Gains = tuple[tuple[float, ...], ...]  # [who hears][who is heard], amplitude: 1 is as it came


class Role(StrEnum):
    """What a party is to the conversation."""

    CALLER = "caller"
    AGENT = "agent"
    THIRD = "third"
    MONITOR = "monitor"
    WHISPER = "whisper"
    BARGE = "barge"


TALKERS = frozenset({Role.CALLER, Role.AGENT, Role.THIRD, Role.BARGE})


@dataclass(frozen=True, slots=True)
class Party:
    """One leg of a bridge; `gain_db` is how much louder the others hear it."""

    leg: str
    role: Role
    held: bool = False
    muted: bool = False
    gain_db: float = 0.0


def matrix(parties: Sequence[Party]) -> Gains:
    """The gains, in the order of the parties; LocalProtocolError for a bridge that cannot be."""
    check(parties)
    return tuple(tuple(gain(ear, mouth) for mouth in parties) for ear in parties)


def gain(ear: Party, mouth: Party) -> float:
    """How loud one party hears another, 0 for not at all."""
    if ear.leg == mouth.leg or ear.held or mouth.held or mouth.muted:
        return 0.0
    heard = mouth.role in TALKERS or (mouth.role is Role.WHISPER and ear.role is Role.AGENT)
    return 10 ** (mouth.gain_db / 20) if heard else 0.0


def sides(parties: Sequence[Party]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A recording's left and right legs: the callers, and all others who talk to them."""
    speaking = [party for party in parties if party.role in TALKERS and not party.muted]
    left = tuple(party.leg for party in speaking if party.role is Role.CALLER)
    return left, tuple(party.leg for party in speaking if party.role is not Role.CALLER)


def check(parties: Sequence[Party]) -> None:
    """Distinct legs, not too many, with gains that are not absurd."""
    check_bridge([party.leg for party in parties], None)
    for party in parties:
        if not abs(party.gain_db) <= MOST_GAIN_DB:
            allowed = f"-{MOST_GAIN_DB:g} to {MOST_GAIN_DB:g} dB"
            raise LocalProtocolError(f"{party.leg}: {party.gain_db} dB; allowed are {allowed}")


def check_bridge(legs: Sequence[str], gains: Gains | None) -> None:
    """At most 64 distinct legs, and gains of each for each: LocalProtocolError."""
    size = len(legs)
    if size > MOST_PARTIES:
        raise LocalProtocolError(f"{size} parties; a bridge has at most {MOST_PARTIES}")
    if len(set(legs)) != size:
        raise LocalProtocolError("a leg is in the bridge twice")
    if gains is None:
        return
    if len(gains) != size or any(len(row) != size for row in gains):
        raise LocalProtocolError(f"gains must be {size} rows of {size} numbers")
    if not all(abs(gain) <= MOST_GAIN for row in gains for gain in row):
        raise LocalProtocolError(f"a gain is not within {MOST_GAIN:g} times")

"""What a visit is between two facts: its parties, and how far the citizen has come."""

from collections.abc import Iterator
from enum import Enum

import msgspec
from msgspec.structs import replace

from hotline.parties import COMING, HERE, Party, Place, Role, Stage


class Phase(Enum):
    """Where the visit is; what the parties do is theirs (parties.py)."""

    QUEUED = "waiting"
    TALKING = "talking"
    SURVEY = "survey"
    MESSAGE = "message"
    ENDING = "ending"


class Policy(msgspec.Struct, frozen=True):
    """What an operator may choose; seconds."""

    agent_leaves: str = "stay"  # or "end": what the others of a conference do then
    returns: tuple[str, ...] = ("agent", "queue")  # where a failed transfer goes, in that order
    most_parties: int = 8
    ring_seconds: float = 25.0
    return_seconds: float = 15.0
    desk_seconds: float = 20.0
    confirm_seconds: float = 10.0
    linger_seconds: float = 1.0
    tones: bool = True  # of failure, in early media, end the leg
    survey: bool = False
    survey_keys: str = "12345"
    survey_seconds: float = 8.0
    message: bool = False
    message_seconds: float = 120.0


class Visit(msgspec.Struct, frozen=True):
    """`in_queue`: the queue's core knows the call; `owner`: the leg of the agent that it sent.

    `legs` and `parts` count what has been named so far: legs dialled, recordings begun.
    """

    call_id: str
    parties: tuple[Party, ...] = ()
    phase: Phase = Phase.QUEUED
    policy: Policy = Policy()
    in_queue: bool = False
    owner: str = ""
    greeted: bool = False
    talked: bool = False
    begun: bool = False  # whether it has been told anything yet
    legs: int = 0
    parts: int = 0
    asked: int = 0  # how often the survey's question was put
    score: str = ""
    heard: bool = False  # the message's prompt is over: what is said now is the message

    # Looking ------------------------------------------------------------------------------------

    def find(self, leg: str) -> Party | None:
        """The party of that leg."""
        for party in self.parties:
            if party.leg == leg:
                return party
        return None

    def where(self, *stages: Stage, place: Place | None = None) -> Iterator[Party]:
        """Parties of these stages, in that place if one is named."""
        for party in self.parties:
            if party.stage in stages and place in (None, party.place):
                yield party

    @property
    def citizen(self) -> Party | None:
        """The citizen, as long as the line is open."""
        return self.role(Role.CITIZEN)

    @property
    def responsible(self) -> Party | None:
        """The agent who has the call: the queue's, or else the first one there."""
        owner = self.find(self.owner)
        return owner if owner is not None and owner.is_here else self.role(Role.AGENT)

    def role(self, role: Role) -> Party | None:
        """The first party of that role that is here, or else on its way."""
        coming: Party | None = None
        for party in self.parties:
            if party.role is role:
                if party.stage in HERE:
                    return party
                if coming is None and party.stage in COMING:
                    coming = party
        return coming

    @property
    def agent(self) -> str | None:
        """The seat that has the call, or rings for it."""
        party = self.responsible
        return None if party is None else party.target.name

    @property
    def offers(self) -> list[Party]:
        """What rings for the queue."""
        return [party for party in self.parties if party.token and party.is_coming]

    @property
    def state(self) -> str:
        """One word for screens: waiting, ringing, talking, held, transferring, ending ..."""
        if self.phase is Phase.QUEUED:
            return "ringing" if self.offers else "waiting"
        if self.phase is not Phase.TALKING:
            return str(self.phase.value)
        if not self.talked:
            return "ringing"
        citizen = self.citizen
        if citizen is None or self.hearers_of(citizen):
            return "talking"
        coming = any(p.is_coming and p.place is Place.TALK for p in self.parties)
        return "transferring" if coming and not self.held_by_agent else "held"

    @property
    def held_by_agent(self) -> bool:
        """Whether an agent who is still in the talk keeps the citizen waiting."""
        return any(
            party.role is Role.AGENT and party.place in (Place.TALK, Place.ASIDE)
            for party in self.where(Stage.UP)
        )

    def hearers_of(self, party: Party) -> list[Party]:
        """Who talks with a party, supervisors aside."""
        return [
            other
            for other in self.where(Stage.UP, place=party.place)
            if other is not party and not other.away and party.place in (Place.TALK, Place.ASIDE)
        ]

    # Changing -----------------------------------------------------------------------------------

    def put(self, party: Party) -> "Visit":
        """With a party as it is now, or a new one at the end."""
        parties, leg = self.parties, party.leg
        for place, one in enumerate(parties):
            if one.leg == leg:
                return replace(self, parties=(*parties[:place], party, *parties[place + 1 :]))
        return replace(self, parties=(*parties, party))

    def without(self, leg: str) -> "Visit":
        """Without a party."""
        return replace(self, parties=tuple(one for one in self.parties if one.leg != leg))

"""What serving leaves to the classes above it: waiting, promised callbacks, calls beside."""

from __future__ import annotations

from abc import ABC, abstractmethod

from acd.agents import Agent
from acd.board import Board
from acd.callbacks import Cue as CallbackCue
from acd.calls import Call


class Seams(Board, ABC):
    """Each is defined by one of the core's other classes; without all of them no core is made."""

    __slots__ = ()

    @abstractmethod
    def _wait(self, call: Call) -> None:
        """The call waits from now on."""

    @abstractmethod
    def _stop_waiting(self, call: Call) -> None:
        """The call waits no longer, whether in line or for one agent."""

    @abstractmethod
    def _favoured(self, user: str) -> Call | None:
        """The call that waits for this agent alone."""

    @abstractmethod
    def _keep_promise(self, agent: Agent, before: tuple[int, int, int, int] | None) -> bool:
        """Dials a callback for the agent, if one is due before the call of that rank."""

    @abstractmethod
    def _attempt_over(self, call: Call, cue: CallbackCue) -> None:
        """What became of the call, which is an attempt at a callback."""

    @abstractmethod
    def _is_lost(self, call: Call) -> bool:
        """Whether nothing that is still to come would take the waiting call."""

    @abstractmethod
    def _forget_callback_of(self, number: str) -> None:
        """The citizen of this number has been answered."""

    @abstractmethod
    def _leave_queue(self, call: Call) -> None:
        """Nobody takes the call any more: it overflows."""

    @abstractmethod
    def _goes_on(self, user: str, without: str) -> bool:
        """Whether the agent is on another call beside this one, which is its call then."""

    @abstractmethod
    def _come_back(self, call: Call) -> None:
        """Away no longer: in nobody's hands but ours."""

    @abstractmethod
    def _disinherit(self, call: Call) -> None:
        """Nobody has the call beside another one any more."""

    @abstractmethod
    def _leave_beside(self, call: Call) -> None:
        """The call is over for all who took part in it without the queue's doing."""

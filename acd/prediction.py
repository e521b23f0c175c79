"""How long a caller will wait: Erlang-A's departure rate and running estimates of its parameters.

With `ahead` callers before this one, the n busy agents end calls at the rate n / handle, and each
of the j callers ahead gives up at the rate 1 / patience; so the wait is the sum of the means of
the ahead + 1 departures, one after the other (Garnett, Mandelbaum, Reiman 2002).
"""

from __future__ import annotations

from math import log

FADE = 0.99  # each observation weighs this much less than the next
PRIOR_WEIGHT = 10.0  # observations that the configured expectation is worth at the start


class Measured:
    """Running means of handle time and patience, in seconds; the expectation fades as they come."""

    __slots__ = ("_given_up", "_handle", "_handled", "_waited")

    def __init__(self, handle_seconds: float, patience_seconds: float) -> None:
        self._handled = PRIOR_WEIGHT
        self._handle = handle_seconds * PRIOR_WEIGHT
        self._given_up = PRIOR_WEIGHT
        self._waited = patience_seconds * PRIOR_WEIGHT

    def handled(self, seconds: float) -> None:
        """An agent was busy with one call for so long."""
        self._handled = self._handled * FADE + 1
        self._handle = self._handle * FADE + seconds

    def waited(self, seconds: float, gave_up: bool) -> None:
        """A caller waited so long; the likeliest patience is all waits over all who gave up.

        Who waited for nothing says nothing, and would only wash the others out.
        """
        if seconds > 0:
            fade = FADE if gave_up else 1.0
            self._waited = (self._waited + seconds) * fade
            self._given_up = (self._given_up + gave_up) * fade

    @property
    def handle_seconds(self) -> float:
        """Mean talk and wrap-up."""
        return self._handle / self._handled

    @property
    def patience_seconds(self) -> float:
        """Mean patience, for exponential patience (censored waits included)."""
        return self._waited / self._given_up


def predicted_wait(ahead: int, servers: int, measured: Measured) -> float | None:
    """Seconds until the caller with so many ahead is served; None when nobody is there to serve.

    A caller ahead who gives up makes the wait shorter, so the last departure is a service: this
    one's own patience is not spent.
    """
    if servers <= 0:
        return None
    service = servers / measured.handle_seconds
    patience = 1 / measured.patience_seconds
    if ahead > 1000:  # the sum's integral: the same to a part in a thousand
        from_ = sum(1 / (service + one * patience) for one in range(1000))
        return from_ + _tail(ahead, service, patience)
    return sum(1 / (service + one * patience) for one in range(ahead + 1))


def _tail(ahead: int, service: float, patience: float) -> float:
    return log((service + (ahead + 1) * patience) / (service + 1000 * patience)) / patience

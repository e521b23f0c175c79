"""Idempotency keys: a command that is sent twice, because its answer was lost, is done once."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from hotline.commands import NotAllowed

MOST = 10_000
T = TypeVar("T")


class Replays:
    """The last answers by their keys; refusals are not kept, so that they can be tried again."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[Hashable, Any]] = OrderedDict()

    def once(self, key: str, command: Hashable, perform: Callable[[], T]) -> T:
        """The answer of `perform`, the kept one if that key had it; NotAllowed for another's."""
        if not key:
            return perform()
        kept = self._kept.get(key)
        if kept is not None:
            if kept[0] != command:
                raise NotAllowed(f"Idempotency-Key {key!r} was another command's")
            answer: T = kept[1]
            return answer
        answer = perform()
        self._kept[key] = (command, answer)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)
        return answer

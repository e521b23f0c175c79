"""SIP messages for those who look: of one call or of all, numbers only for those who may."""

import re
from collections.abc import Callable, Mapping

from callcore.io.trace import Packet, Tracer
from hotline.commands import SipPacket
from hotline.masking import without_numbers, without_proofs

CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$")

REMEMBERED = 20_000  # Call-IDs
# What is never part of a call, and need not be searched for among them.
OTHER = re.compile(rb"(?im)^CSeq[ \t]*:[ \t]*[0-9]+[ \t]+(?:REGISTER|OPTIONS)")


class CallTrace:
    """Implements hotline.commands.SipTrace over a tap.

    `only` is an id of ours or a Call-ID (empty: everything), and whether numbers may be seen.
    `legs` tells the legs of all Call-IDs, and our ids of legs.
    """

    def __init__(
        self,
        tracer: Tracer,
        wake: Callable[[], None],
        only: tuple[str, bool],
        legs: tuple[Callable[[], dict[str, str]], Mapping[str, str]],
    ) -> None:
        self._call, self._reveal = only
        self._call_ids, self._calls = legs
        self._known: dict[str, str] = {}
        self._learn()  # of calls under way, whose next message may be their last
        self._trace = tracer.open(wake)

    @property
    def dropped(self) -> int:
        """Messages lost because they were not read in time."""
        return self._trace.dropped

    def take(self) -> list[SipPacket]:
        """What passed since."""
        packets = [(packet, call_id_of(packet.data)) for packet in self._trace.take()]
        if any(call_id not in self._known for packet, call_id in packets if of_a_call(packet)):
            self._learn()
        found = (self._seen(packet, call_id) for packet, call_id in packets)
        return [p for p in found if not self._call or self._call in (p.call, p.sip_call_id)]

    def close(self) -> None:
        """Look no more."""
        self._trace.close()

    def _learn(self) -> None:
        """Our calls of Call-IDs, remembered beyond the ends of their legs."""
        for call_id, leg in self._call_ids().items():
            call = self._calls.get(leg)
            if call is not None and call_id not in self._known:
                self._known[call_id] = call
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def _seen(self, packet: Packet, call_id: str) -> SipPacket:
        flow = packet.flow
        clean = without_proofs if self._reveal else without_numbers
        return SipPacket(
            at_us=packet.at_us,
            direction=packet.direction,
            transport=flow.transport,
            local=flow.local,
            remote=flow.remote,
            sip_call_id=call_id,
            call=self._known.get(call_id),
            data=clean(packet.data),
        )


def call_id_of(data: bytes) -> str:
    """The Call-ID of a message, empty where it has none."""
    found = CALL_ID.search(data)
    return found[1].decode("utf-8", "replace") if found else ""


def of_a_call(packet: Packet) -> bool:
    """Whether a message may be part of a call."""
    return OTHER.search(packet.data) is None

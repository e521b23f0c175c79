"""SIP messages for those who look: of one call or of all, numbers only for those who may."""

import re
from collections.abc import Callable, Mapping

from callcore.io.trace import Packet, Tracer
from hotline.commands import SipPacket
from hotline.masking import without_numbers, without_proofs

CALL_ID = re.compile(rb"(?im)^(?:call-id|i)[ \t]*:[ \t]*([^\r\n]*?)[ \t]*\r?$")

# What is never part of a call, and need not be searched for among them.
OTHER = re.compile(rb"(?im)^CSeq[ \t]*:[ \t]*[0-9]+[ \t]+(?:REGISTER|OPTIONS)")


class CallTrace:
    """Implements hotline.commands.SipTrace over a tap.

    `call` is an id of ours or a Call-ID; empty: everything. `calls` maps legs to our ids, and
    `leg_of` finds the leg of a Call-ID.
    """

    def __init__(
        self,
        tracer: Tracer,
        wake: Callable[[], None],
        only: tuple[str, bool],
        legs: tuple[Callable[[str], str | None], Mapping[str, str]],
    ) -> None:
        self._call, self._reveal = only
        self._leg_of, self._calls = legs
        self._known: dict[str, str] = {}
        self._trace = tracer.open(wake)

    @property
    def dropped(self) -> int:
        """Messages lost because they were not read in time."""
        return self._trace.dropped

    def take(self) -> list[SipPacket]:
        """What passed since."""
        found = (self._seen(packet) for packet in self._trace.take())
        return [p for p in found if not self._call or self._call in (p.call, p.sip_call_id)]

    def close(self) -> None:
        """Look no more."""
        self._trace.close()

    def _seen(self, packet: Packet) -> SipPacket:
        found = CALL_ID.search(packet.data)
        call_id = found[1].decode("utf-8", "replace") if found else ""
        flow = packet.flow
        clean = without_proofs if self._reveal else without_numbers
        return SipPacket(
            at_us=packet.at_us,
            direction=packet.direction,
            transport=flow.transport,
            local=flow.local,
            remote=flow.remote,
            sip_call_id=call_id,
            call=None if OTHER.search(packet.data) else self._call_of(call_id),
            data=clean(packet.data),
        )

    def _call_of(self, call_id: str) -> str | None:
        """Our call of a Call-ID, remembered beyond the end of its leg."""
        if call_id in self._known:
            return self._known[call_id]
        leg = self._leg_of(call_id)
        call = self._calls.get(leg) if leg is not None else None
        if call is not None:
            self._known[call_id] = call
            if len(self._known) > 10_000:
                del self._known[next(iter(self._known))]
        return call

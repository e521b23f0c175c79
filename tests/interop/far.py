"""The far end of a trunk: a mobile, an office, the city's platform; keeps all that it heard."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np

from phones.g711 import decode_alaw, decode_ulaw, encode_alaw
from phones.raw import FRAME, Address, RawCall, RawEnd, RawMessage, RtpEnd
from phones.tones import RATE, Samples, strengths, tone
from tests.interop.ears import story

LEVEL = 0.1  # of a tone: eight of them together do not clip
ENOUGH = 0.3  # seconds of a tone
WINDOW_FRAMES, WINDOW_SECONDS = 3, 0.06


class RecordingEnd(RtpEnd):
    """Keeps the sound that it is sent, and says any sound."""

    def __init__(self, says: Samples) -> None:
        super().__init__(1000, 1)
        self.frames = [encode_alaw(says[i : i + FRAME]) for i in range(0, len(says), FRAME)]
        self.sound: list[Samples] = []

    def datagram_received(self, data: bytes, address: Address) -> None:
        """RFC 3550 §5.1, no extensions."""
        self.received += 1
        if len(data) >= 12 + FRAME:
            decode = decode_ulaw if data[1] & 0x7F == 0 else decode_alaw
            self.sound.append(decode(data[12 : 12 + FRAME]))


@dataclass
class Far:
    """One call of the far end's; `invite` is the one that it got."""

    end: "FarEnd"
    raw: RawCall
    invite: RawMessage = field(default_factory=lambda: RawMessage("", [], ""))

    @property
    def rtp(self) -> RecordingEnd:
        assert isinstance(self.raw.rtp, RecordingEnd)
        return self.raw.rtp

    def heard(self, *tones: int) -> list[int]:
        """The tones one after the other."""
        return story(np.concatenate(self.rtp.sound or [np.zeros(1, np.int16)]), RATE, tones)

    def seconds_with(self, *tones: int, share: float = 0.05) -> float:
        """For how long all these tones were heard at once."""
        return self._windows_with(0, tones, share)[0] * WINDOW_SECONDS

    async def hears(self, *tones: int, share: float = 0.05, timeout_seconds: float = 30.0) -> None:
        """Until all these tones have been heard together for a while from now on."""
        at, good = len(self.rtp.sound), 0
        async with asyncio.timeout(timeout_seconds):
            while good * WINDOW_SECONDS < ENOUGH:
                await asyncio.sleep(0.1)
                more, at = self._windows_with(at, tones, share)
                good += more

    def _windows_with(self, begin: int, tones: tuple[int, ...], share: float) -> tuple[int, int]:
        """How many windows of the frames from `begin` on have all these tones; where to go on.

        Each is looked at once: ears that take long make the ends that they hear fall silent.
        """
        end = begin + (len(self.rtp.sound) - begin) // WINDOW_FRAMES * WINDOW_FRAMES
        if end == begin:
            return 0, end
        cuts = np.concatenate(self.rtp.sound[begin:end]).reshape(-1, WINDOW_FRAMES * FRAME)
        return int((strengths(cuts, tones) > share).all(axis=1).sum()), end

    async def hang_up(self) -> None:
        await self.end.hang_up(self.raw)

    async def over(self, timeout_seconds: float = 30.0) -> None:
        """Until the other side has hung up."""
        async with asyncio.timeout(timeout_seconds):
            await self.raw.over.wait()
        self.end.finish(self.raw)


class FarEnd(RawEnd):
    """What it says in its next call is `says`; the INVITEs and CANCELs that came are kept."""

    def __init__(self, user: str, hz: int) -> None:
        super().__init__(user, hz, 1)
        self.says = tone(hz, 1.0, LEVEL)
        self.cancelled = asyncio.Event()

    def datagram_received(self, data: bytes, address: Address) -> None:
        """CANCEL is answered with its 200, and the INVITE with 487."""
        super().datagram_received(data, address)
        if data.startswith(b"CANCEL "):
            self.cancelled.set()
            if self._rung is not None:
                self.respond(*self._rung, "487 Request Terminated")

    _rung: tuple[RawMessage, Address] | None = None

    async def _call(self, call_id: str, remote: Address) -> RawCall:
        rtp = RecordingEnd(self.says)
        address = await rtp.open(self.address[0])
        call = self.calls[call_id] = RawCall(rtp, address, call_id, remote)
        return call

    async def rings(self, status: str = "180 Ringing") -> tuple[RawMessage, Address]:
        """The next INVITE, which rings from now on."""
        self.cancelled.clear()
        async with asyncio.timeout(30):
            invite, remote, _ = await self.incoming.get()
        self.respond(invite, remote, status)
        self._rung = invite, remote
        return invite, remote

    async def early(self, says: Samples) -> tuple[RawMessage, Far]:
        """The next INVITE: 183, and a sound before any answer."""
        invite, remote = await self.rings("100 Trying")
        self.says, usual = says, self.says
        call = await self._call(invite.get("call-id"), remote)
        self.says = usual
        self.respond(invite, remote, "183 Session Progress", self.description(call.rtp_address))
        call.rtp.send_to(invite.rtp_address())
        return invite, Far(self, call, invite)

    async def answers(self, rung: tuple[RawMessage, Address] | None = None) -> Far:
        """The next INVITE, or one that rings: 200, and audio."""
        invite, remote = rung or await self.rings()
        call = await self._call(invite.get("call-id"), remote)
        tag = f";tag=raw{invite.get('call-id')[:8]}"
        call.ours, call.theirs = invite.get("to") + tag, invite.get("from")
        call.remote_target = invite.get("contact").strip("<>").split(">")[0]
        call.routes = invite.all("record-route")
        self._rung = None
        self.respond(invite, remote, "200 OK", self.description(call.rtp_address))
        call.answered_at = time.monotonic()
        call.rtp.send_to(invite.rtp_address())
        return Far(self, call, invite)

    async def calls_us(
        self,
        to: Address,
        caller: str = "13900001111",
        number: str = "12345",
        more: tuple[str, ...] = (),
    ) -> Far:
        """A call of the far end's to the hotline, answered."""
        return Far(self, await self.place(to, number, caller, more))

"""pjsua2's calls and accounts: its callbacks turned into events of the phone."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pjsua2 as pj

from phones.keypad import without_events

if TYPE_CHECKING:
    from phones.phone import Phone

Fields = dict[str, Any]


def _told(method: Callable[..., None]) -> Callable[..., None]:
    """An exception in a callback is told as an event: the library would swallow it."""

    @functools.wraps(method)
    def guarded(self: Any, prm: Any) -> None:
        try:
            method(self, prm)
        except Exception as error:
            why = error.info() if isinstance(error, pj.Error) else repr(error)
            self.phone.events.emit("error", do=method.__name__, why=why)

    return guarded


class PhoneCall(pj.Call):  # type: ignore[misc]
    """One call: pjsua2's callbacks turned into events."""

    def __init__(self, phone: "Phone", name: str, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(phone.account, call_id)
        self.phone = phone
        self.name = name
        self.play: Path | None = phone.options.play
        self.record: Path | None = phone.recording_path(name)
        self.recorder: pj.AudioMediaRecorder | None = None
        self.keypad: pj.ToneGenerator | None = None  # while keys are pressed in the sound
        self.party = ""
        self.outgoing = call_id == pj.PJSUA_INVALID_ID
        self.hung_up_here = False
        self.over = False
        self.statistics: Fields = {}
        self.stream = 0  # of the streams offered, the one that was taken

    @_told
    def onCallState(self, prm: "pj.OnCallStateParam") -> None:
        """RFC 3261 §13: the INVITE session's state as pjsip names it."""
        self.phone.call_changed(self)

    @_told
    def onCallSdpCreated(self, prm: "pj.OnCallSdpCreatedParam") -> None:
        """Before our offer or answer goes: a phone that presses keys in the sound has no events."""
        if self.phone.options.keys == "sound":
            prm.sdp.wholeSdp = without_events(prm.sdp.wholeSdp)

    @_told
    def onCallMediaState(self, prm: "pj.OnCallMediaStateParam") -> None:
        """After each offer and answer: connect the sound again."""
        self.phone.connect_sound(self)

    @_told
    def onStreamDestroyed(self, prm: "pj.OnStreamDestroyedParam") -> None:
        """The last moment at which the RTP counters can be read."""
        self.read_statistics()

    @_told
    def onDtmfDigit(self, prm: "pj.OnDtmfDigitParam") -> None:
        """RFC 4733 or INFO digit heard."""
        self.phone.events.emit("dtmf", call=self.name, digit=prm.digit)

    @_told
    def onCallTransferStatus(self, prm: "pj.OnCallTransferStatusParam") -> None:
        """NOTIFY of a REFER of ours (RFC 3515)."""
        self.phone.events.emit(
            "transfer", call=self.name, code=prm.statusCode, final=bool(prm.finalNotify)
        )

    def read_statistics(self) -> Fields:
        """Packets and loss of the call's stream; empty before there is one."""
        try:
            statistics = self.getStreamStat(self.stream)  # kept: its parts die with it
        except pj.Error:
            return self.statistics
        rtcp = statistics.rtcp
        self.statistics = {
            "received": rtcp.rxStat.pkt,
            "sent": rtcp.txStat.pkt,
            "lost": rtcp.rxStat.loss,
            "discarded": rtcp.rxStat.discard,
            "jitter_ms": rtcp.rxStat.jitterUsec.mean / 1000,
        }
        return self.statistics


class PhoneAccount(pj.Account):  # type: ignore[misc]
    """The account: registrations and incoming calls."""

    def __init__(self, phone: "Phone") -> None:
        super().__init__()
        self.phone = phone

    @_told
    def onRegState(self, prm: "pj.OnRegStateParam") -> None:
        """RFC 3261 §10: the registrar's answer."""
        fields = {"code": prm.code, "reason": prm.reason, "expires_seconds": prm.expiration}
        good = 200 <= prm.code < 300
        name = ("registered" if prm.expiration else "unregistered") if good else "register_failed"
        self.phone.events.emit(name, **fields)

    @_told
    def onIncomingCall(self, prm: "pj.OnIncomingCallParam") -> None:
        """A new INVITE."""
        self.phone.called(prm.callId, prm.rdata.wholeMsg)

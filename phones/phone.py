"""The softphone's behaviour: an account, its calls, and what is told about them."""

import heapq
import itertools
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pjsua2 as pj

from phones import keypad
from phones.endpoint import MAX_CALLS, Endpoint
from phones.laws import Law
from phones.lines import EventWriter
from phones.phone_call import Fields, PhoneAccount, PhoneCall
from phones.tones import is_whole

IDLE_POLL_MS = 50
GOODBYE_SECONDS = 2.0
CLOSING_SECONDS = 10.0


SRTP_USES = {"off": 0, "optional": 1, "mandatory": 2}  # pjmedia_srtp_use


@dataclass(frozen=True, slots=True)
class PhoneOptions:
    """Who the phone is and what it does by itself."""

    user: str
    password: str = ""
    domain: str = "127.0.0.1"
    registrar: str = ""  # host:port; empty: no registration
    transport: str = "udp"
    expires_seconds: int = 300
    play: Path | None = None
    record: Path | None = None
    auto_answer: Law | None = None
    talk: Law | None = None
    refuse: int = 0
    calls: int = 1  # further incoming calls get 486
    srtp: str = "off"  # optional: as the other side wants; mandatory: nothing else
    keys: str = "events"  # or "sound": no telephone-event, the tones themselves
    seed: int = 0


class Phone:
    """An account with up to four calls, driven by commands, telling events."""

    def __init__(self, options: PhoneOptions, endpoint: Endpoint, events: EventWriter) -> None:
        self.options = options
        self.endpoint = endpoint
        self.events = events
        self.random = random.Random(options.seed or None)
        self.calls: dict[str, PhoneCall] = {}
        self.finished: list[PhoneCall] = []
        self.timers: list[tuple[float, int, Callable[[], None]]] = []
        self.count = itertools.count(1)
        self.running = True
        self.account = PhoneAccount(self)
        self.account.create(self._account_config())
        events.emit("started", user=options.user, address=endpoint.address, pid=os.getpid())

    def _account_config(self) -> "pj.AccountConfig":
        options, config = self.options, pj.AccountConfig()
        config.idUri = f"sip:{options.user}@{options.domain}"
        config.sipConfig.transportId = self.endpoint.transport_id
        config.natConfig.contactRewriteUse = 0
        config.natConfig.viaRewriteUse = 0
        config.natConfig.sdpNatRewriteUse = 0
        config.natConfig.sipOutboundUse = 0
        config.natConfig.udpKaIntervalSec = 0
        config.mediaConfig.srtpUse = SRTP_USES[options.srtp]
        config.mediaConfig.srtpSecureSignaling = 1  # keys in SDP go over TLS only
        media = config.mediaConfig.transportConfig
        media.boundAddress = self.endpoint.options.address
        media.port = self.endpoint.options.first_rtp_port or self.random.randrange(40000, 58000, 20)
        if options.registrar:
            where = f"sip:{options.registrar};transport={options.transport};lr;hide"
            config.sipConfig.proxies.append(where)
            config.regConfig.registrarUri = f"sip:{options.domain}"
            config.regConfig.timeoutSec = options.expires_seconds
            config.regConfig.retryIntervalSec = 2
            config.regConfig.firstRetryIntervalSec = 1
            config.regConfig.randomRetryIntervalSec = 1
            secret = pj.AuthCredInfo("digest", "*", options.user, 0, options.password)
            config.sipConfig.authCreds.append(secret)
        return config

    def recording_path(self, name: str) -> Path | None:
        """The file that a call is recorded to; `{call}` in it stands for the call's name."""
        path = self.options.record
        return path and Path(str(path).replace("{call}", name))

    # --- the loop's side

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Does something later, from the loop."""
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.count), do))

    def turn(self) -> None:
        """One round of the loop: the library, the timers that are due, the calls that are over."""
        wait_ms = IDLE_POLL_MS
        if self.timers:
            left = self.timers[0][0] - time.monotonic()
            wait_ms = max(0, min(wait_ms, int(left * 1000) + 1))
        self.endpoint.poll(wait_ms)
        while self.timers and self.timers[0][0] <= time.monotonic():
            heapq.heappop(self.timers)[2]()
        for call in self.finished:
            call.recorder = None  # lets the file be closed, which the sound's thread does
            self.tell_recorded(call, time.monotonic() + CLOSING_SECONDS)
        self.finished.clear()

    def tell_recorded(self, call: PhoneCall, until: float) -> None:
        """As soon as the recording is a whole file; one that never becomes so is an error."""
        if not call.record or is_whole(call.record):
            self.events.emit("recorded", call=call.name, path=str(call.record or ""))
        elif time.monotonic() < until:
            self.after(0.01, lambda: self.tell_recorded(call, until))
        else:
            why = f"{call.record} is still open after {CLOSING_SECONDS:.0f} s"
            self.events.emit("error", do="record", why=why, call=call.name)

    def close(self) -> None:
        """Hangs up, unregisters, and lets go of the library in its order."""
        registered = self.options.registrar and self.account.getInfo().regIsActive
        for call in list(self.calls.values()):
            self.hang_up(call)
        if registered:
            self.account.setRegistration(False)
        until = time.monotonic() + GOODBYE_SECONDS
        while time.monotonic() < until:
            self.turn()
            if not self.calls and not (registered and self.account.getInfo().regIsActive):
                break
        self.calls.clear()
        self.account.shutdown()
        self.endpoint.destroy()

    # --- the library's side

    def called(self, call_id: int, message: str) -> None:
        """An INVITE came: ring, and answer or refuse as told."""
        call = PhoneCall(self, f"in-{next(self.count)}", call_id)
        live = len(self.calls)
        self.calls[call.name] = call
        info = call.getInfo()
        call.party = info.remoteUri
        self.events.emit(
            "incoming",
            call=call.name,
            **{"from": info.remoteUri, "to": info.localUri, "sip_call_id": info.callIdString},
            live=live,
            asserted=header(message, "P-Asserted-Identity"),
        )
        if live >= self.options.calls:
            self.answer(call, 486)
        elif self.options.refuse:
            self.answer(call, self.options.refuse)
        else:
            self.answer(call, 180)
            if self.options.auto_answer is not None:
                self.after(self.options.auto_answer.draw(self.random), lambda: self.answer(call))

    def call_changed(self, call: PhoneCall) -> None:
        """Tells the state, starts the talk time, and buries the call when it is over."""
        info = call.getInfo()
        told = {"state": info.stateText, "code": info.lastStatusCode, "reason": info.lastReason}
        self.events.emit("state", call=call.name, party=call.party, **told)
        if info.state == pj.PJSIP_INV_STATE_CONFIRMED and self.options.talk is not None:
            self.after(self.options.talk.draw(self.random), lambda: self.hang_up(call))
        if info.state == pj.PJSIP_INV_STATE_DISCONNECTED and not call.over:
            call.over = True
            self.calls.pop(call.name, None)
            self.finished.append(call)
            self.events.emit(
                "ended",
                call=call.name,
                party=call.party,
                by="local" if call.hung_up_here else "remote",
                sip_call_id=info.callIdString,
                code=info.lastStatusCode,
                reason=info.lastReason,
                talk_seconds=info.connectDuration.sec + info.connectDuration.msec / 1000,
                **call.statistics,
            )

    def connect_sound(self, call: PhoneCall) -> None:
        """Player to call, call to recorder; none of it while the call is held."""
        info = call.getInfo()  # kept: its vector dies with it
        sounds = [m for m in info.media if m.type == pj.PJMEDIA_TYPE_AUDIO]
        if not sounds:
            return
        taken = [m for m in sounds if m.status != pj.PJSUA_CALL_MEDIA_NONE]
        media = (taken or sounds)[0]
        call.stream = media.index
        status = {
            pj.PJSUA_CALL_MEDIA_ACTIVE: "active",
            pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "local_hold",
            pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote_hold",
        }.get(media.status, "none")
        codec = remote = ""
        if status != "none":
            stream = call.getStreamInfo(call.stream)
            codec, remote = stream.codecName, stream.remoteRtpAddress
        self.events.emit("media", call=call.name, status=status, codec=codec, remote=remote)
        if status not in {"active", "remote_hold"}:
            return
        audio = call.getAudioMedia(call.stream)
        if call.play is not None:
            self.endpoint.player(call.play).startTransmit(audio)
        if call.record is not None:
            if call.recorder is None:
                call.recorder = pj.AudioMediaRecorder()
                call.recorder.createRecorder(str(call.record))
            audio.startTransmit(call.recorder)

    # --- commands

    def obey(self, command: Fields) -> None:
        """Does one command; a wrong one is told as `error` and harms nothing."""
        do = str(command.get("do"))
        verb = VERBS.get(do)
        try:
            if verb is None:
                raise ValueError(f"unknown command; known: {', '.join(sorted(VERBS))}")
            verb(self, command)
        except (pj.Error, ValueError, KeyError) as error:
            why = error.info() if isinstance(error, pj.Error) else str(error)
            self.events.emit("error", do=do, why=why, call=command.get("call", ""))

    def answer(self, call: PhoneCall, status: int = 200) -> None:
        """Answers, unless the call is over already."""
        if not call.over:
            operation = pj.CallOpParam(True)
            operation.statusCode = status
            _audio_only(operation)
            call.hung_up_here = call.hung_up_here or status >= 300
            call.answer(operation)

    def hang_up(self, call: PhoneCall) -> None:
        """BYE, CANCEL or a refusal, whatever fits; nothing when the call is over."""
        if not call.over:
            call.hung_up_here = True
            call.read_statistics()
            call.hangup(pj.CallOpParam())

    def place(self, command: Fields) -> None:
        """Calls `to`; `from`, `asserted`, `play`, `record` and `name` belong to this call alone."""
        if len(self.calls) >= MAX_CALLS:
            raise ValueError(f"a process of this library holds {MAX_CALLS} calls")
        call = PhoneCall(self, str(command.get("name") or f"out-{next(self.count)}"))
        call.party = str(command["to"])
        call.play = Path(command["play"]) if "play" in command else call.play
        call.record = Path(command["record"]) if "record" in command else call.record
        operation = pj.CallOpParam(True)
        _audio_only(operation)
        operation.txOption.localUri = command.get("from", "")
        if "asserted" in command:
            asserted = pj.SipHeader()
            asserted.hName, asserted.hValue = "P-Asserted-Identity", f"<{command['asserted']}>"
            operation.txOption.headers.append(asserted)
        self.calls[call.name] = call
        try:
            call.makeCall(call.party, operation)
        except pj.Error:
            self.calls.pop(call.name, None)
            raise
        self.events.emit("calling", call=call.name, to=call.party)

    def named(self, command: Fields) -> PhoneCall:
        """The call meant: by name, or the only one."""
        name = command.get("call")
        if name is None and len(self.calls) == 1:
            return next(iter(self.calls.values()))
        if name not in self.calls:
            raise ValueError(f"no call {name or ''} (there are {len(self.calls)})")
        return self.calls[name]


def _audio_only(operation: "pj.CallOpParam") -> None:
    operation.opt.audioCount = 1
    operation.opt.videoCount = 0


def header(message: str, name: str) -> str:
    """A header's first value in a whole message, as text; empty when there is none."""
    for line in message.split("\r\n\r\n")[0].split("\r\n"):
        key, _, value = line.partition(":")
        if key.strip().lower() == name.lower():
            return value.strip()
    return ""


def _resume(phone: Phone, command: Fields) -> None:
    operation = pj.CallOpParam(True)
    _audio_only(operation)
    operation.opt.flag = pj.PJSUA_CALL_UNHOLD
    phone.named(command).reinvite(operation)


def _dial(phone: Phone, command: Fields) -> None:
    call, digits = phone.named(command), str(command["digits"])
    if phone.options.keys == "sound":
        keypad.press(phone, call, digits)
    else:
        call.dialDtmf(digits)


def _quit(phone: Phone, command: Fields) -> None:
    phone.running = False


def _statistics(phone: Phone, command: Fields) -> None:
    call = phone.named(command)
    phone.events.emit("stats", call=call.name, **call.read_statistics())


VERBS: dict[str, Callable[[Phone, Fields], None]] = {
    "call": Phone.place,
    "answer": lambda phone, c: phone.answer(phone.named(c), int(c.get("status", 200))),
    "hangup": lambda phone, c: phone.hang_up(phone.named(c)),
    "hold": lambda phone, c: phone.named(c).setHold(pj.CallOpParam(True)),
    "resume": _resume,
    "transfer": lambda phone, c: phone.named(c).xfer(str(c["to"]), pj.CallOpParam(True)),
    "attend": lambda phone, c: phone.named(c).xferReplaces(
        phone.calls[str(c["with"])], pj.CallOpParam(True)
    ),
    "dtmf": _dial,
    "stats": _statistics,
    "register": lambda phone, c: phone.account.setRegistration(True),
    "unregister": lambda phone, c: phone.account.setRegistration(False),
    "quit": _quit,
    "crash": lambda phone, c: os.kill(os.getpid(), signal.SIGKILL),
}

"""A phone of a second make: pyVoIP, which registers, answers, plays a tone and reads the audio.

It speaks the lines of phones/softphone.py: started, registered, incoming, state, ended, recorded.
pyVoIP sends all it says to its registrar, so calls come to it through that address only.
"""

import argparse
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its audioop import is deprecated
    from pyVoIP.RTP import PayloadType, RTPClient
    from pyVoIP.VoIP import CallState, InvalidStateError, PhoneStatus, VoIPCall, VoIPPhone

from phones.lifetime import die_with_parent
from phones.lines import CommandReader, EventWriter, take_standard_output
from phones.sipp import free_port
from phones.tones import tone, write_wav

FRAME = 160  # bytes of 8-bit linear audio, 20 ms


def encoded(client: RTPClient, payload: bytes) -> bytes:
    """What pyVoIP sends, by the codec agreed: its own method sends mu-law as A-law as well."""
    if client.preference == PayloadType.PCMA:
        return bytes(client.encode_pcma(payload))
    return bytes(client.encode_pcmu(payload))


RTPClient.encode_packet = encoded


class SecondMake:
    """pyVoIP's phone behind our events and commands."""

    def __init__(self, given: argparse.Namespace, events: EventWriter) -> None:
        self.given = given
        self.events = events
        self.running = True
        self.call: VoIPCall | None = None
        self.workers: list[threading.Thread] = []
        host, _, port = given.registrar.partition(":")
        self.port = given.local_port or free_port()
        first_rtp = 2 * (free_port() // 2)
        self.phone = VoIPPhone(
            host,
            int(port),
            given.user,
            given.password,
            myIP="127.0.0.1",
            callCallback=self.called,
            sipPort=self.port,
            rtpPortLow=first_rtp,
            rtpPortHigh=first_rtp + 20,
        )

    def start(self) -> None:
        """Registers: start() returns when the registrar has answered."""
        self.events.emit(
            "started", user=self.given.user, address=f"127.0.0.1:{self.port}", pid=os.getpid()
        )
        self.phone.start()
        good = self.phone.get_status() == PhoneStatus.REGISTERED
        self.events.emit("registered" if good else "register_failed", code=200 if good else 0)

    def called(self, call: VoIPCall) -> None:
        """pyVoIP's thread of one call, a second after it said 180."""
        self.call = call
        headers = call.request.headers
        self.events.emit(
            "incoming",
            call=call.call_id,
            **{"from": headers["From"]["raw"], "sip_call_id": call.call_id},
        )
        if self.given.auto_answer is not None:
            time.sleep(self.given.auto_answer)
            self.answer()

    def answer(self) -> None:
        """200 OK, then plays and listens in a thread."""
        call = self.call
        if call is None:
            raise ValueError("no call")
        call.answer()
        self.events.emit("state", call=call.call_id, state="CONFIRMED", code=200, reason="OK")
        worker = threading.Thread(target=self.talk, args=(call,))
        self.workers.append(worker)
        worker.start()

    def talk(self, call: VoIPCall) -> None:
        """Its audio is 8-bit unsigned linear at 8 kHz, in and out."""
        heard: list[bytes] = []
        second = tone(self.given.tone, 1.0)
        out = ((second.astype(np.int32) >> 8) + 128).astype(np.uint8).tobytes()
        frames = [out[i : i + FRAME] for i in range(0, len(out), FRAME)]
        sent, started = 0, time.monotonic()
        while call.state == CallState.ANSWERED and self.running:
            while sent * 0.02 < time.monotonic() - started + 0.06:
                call.write_audio(frames[sent % len(frames)])
                sent += 1
            heard.append(call.read_audio(FRAME, blocking=False))
            time.sleep(0.02)
        self.events.emit("ended", call=call.call_id, frames=len(heard))
        if self.given.record:
            self.save(self.given.record, heard)
            self.events.emit("recorded", call=call.call_id, path=str(self.given.record))

    def save(self, path: Path, heard: list[bytes]) -> None:
        """As a 16-bit WAV; what had not arrived in time is silence (0x80)."""
        linear = np.frombuffer(b"".join(heard), np.uint8).astype(np.int16)
        write_wav(path, ((linear - 128) * 256).astype(np.int16))

    def obey(self, command: dict[str, Any]) -> None:
        """answer, hangup, quit."""
        do = command.get("do")
        try:
            if do == "quit":
                self.running = False
            elif do == "answer":
                self.answer()
            elif do == "hangup" and self.call is not None:
                self.call.hangup()
            else:
                raise ValueError("known: answer, hangup, quit")
        except (ValueError, InvalidStateError) as error:
            self.events.emit("error", do=do, why=str(error))

    def stop(self) -> None:
        """Hangs up, joins the call's thread, unregisters."""
        self.running = False
        for worker in self.workers:
            worker.join(2)
        self.phone.stop()
        self.events.emit("bye")


def arguments() -> argparse.Namespace:
    """The command line, a part of softphone.py's."""
    parser = argparse.ArgumentParser(prog="pyvoip_phone")
    add = parser.add_argument
    add("--user", required=True)
    add("--password", default="")
    add("--domain", default="", help="pyVoIP uses the registrar's address")
    add("--registrar", required=True, metavar="HOST:PORT")
    add("--local-port", type=int, default=0)
    add("--tone", type=int, default=440)
    add("--record", type=Path)
    add("--auto-answer", type=float)
    add("--parent", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Until quit, SIGTERM or the end of standard input."""
    given = arguments()
    if given.parent:
        die_with_parent(given.parent, signal.SIGTERM)
    events = take_standard_output()
    phone = SecondMake(given, events)

    def stop(number: int, frame: Any) -> None:
        phone.running = False

    signal.signal(signal.SIGTERM, stop)
    phone.start()
    commands = CommandReader(sys.stdin.fileno())
    while phone.running and not commands.closed:
        for command in commands.poll(0.1):
            phone.obey(command)
    signal.signal(signal.SIGALRM, lambda number, frame: os._exit(0))
    signal.alarm(4)  # its deregistration waits long for a registrar that is gone
    phone.stop()
    os._exit(0)


if __name__ == "__main__":
    main()

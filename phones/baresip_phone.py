"""A phone of a third make: baresip, by its TCP control interface.

It speaks the lines of phones/softphone.py: started, registered, register_failed, incoming, state,
transfer, ended, recorded; it obeys call, answer, hangup, hold, resume, transfer and quit.
"""

import argparse
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

from phones.lines import EventWriter
from phones.sipp import free_port
from phones.wrapped import WrappedPhone, main

START_SECONDS = 10.0
CONFIG = """
sip_listen {address}:{port}
{secure}
net_interface {address}
dns_server 127.0.0.1:53
call_max_calls 4
audio_source aufile,{sound}
audio_player aubridge,nowhere
audio_alert aubridge,nowhere
snd_path {folder}
module_path {modules}
module g711.so
module aufile.so
module aubridge.so
module sndfile.so
module srtp.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""
ACCOUNT = (
    '<sip:{user}@{domain};transport={transport}>;auth_user={user};auth_pass="{password}"'
    ';outbound="sip:{registrar};transport={transport}";regint=300;answermode={answer}'
    ";audio_codecs=pcma,pcmu{encryption}"
)
COMMANDS = {"answer": "accept", "hangup": "hangup", "hold": "hold", "resume": "resume"}
PARAMETERS = {"call": "dial", "transfer": "transfer"}


class Baresip(WrappedPhone):
    """baresip; netstrings of JSON in both directions."""

    program = "baresip"
    package = "baresip-core"

    def __init__(self, given: argparse.Namespace, events: EventWriter) -> None:
        super().__init__(given, events)
        self.port, self.control = given.local_port or free_port(), free_port("tcp")
        self.rest = b""
        self.write_configuration()
        self.start("-f", str(self.folder))
        self.socket = self.connect()
        self.say("uanew", self.account())  # only now, so that no event of it is missed
        events.emit("started", user=given.user, address=f"{given.address}:{self.port}")

    def write_configuration(self) -> None:
        """config, and no account yet, in its folder."""
        given = self.given
        modules = next(iter(sorted(_module_folders())), "/usr/lib/baresip/modules")
        config = CONFIG.format(
            address=given.address,
            port=self.port,
            secure=f"sip_cafile {given.ca}" if given.ca else "",
            sound=self.sound,
            folder=self.folder,
            modules=modules,
            control=self.control,
        )
        (self.folder / "config").write_text(config, encoding="utf-8")
        (self.folder / "accounts").touch()

    def account(self) -> str:
        """Who it is."""
        given = self.given
        return ACCOUNT.format(
            user=given.user,
            domain=given.domain,
            transport=given.transport,
            password=given.password,
            registrar=given.registrar,
            encryption=";mediaenc=srtp-mand" if given.srtp == "mandatory" else "",
            answer="manual" if given.auto_answer is None else "auto",
        )

    def connect(self) -> socket.socket:
        """Its control interface, as soon as it listens."""
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.control), 5)
            except OSError:
                if time.monotonic() > until or (self.child and self.child.poll() is not None):
                    raise
                time.sleep(0.05)

    def sources(self) -> list[int]:
        """Its control interface, and what it prints."""
        assert self.child is not None
        assert self.child.stdout is not None
        return [self.socket.fileno(), self.child.stdout.fileno()]

    def read(self, descriptor: int) -> None:
        """Events and answers; its own log goes to our log."""
        if descriptor != self.socket.fileno():
            assert self.child is not None
            assert self.child.stdout is not None
            said = self.child.stdout.read1(65536)
            sys.stderr.write(said.decode(errors="replace"))
            self.running = self.running and bool(said)
            return
        data = self.socket.recv(65536)
        self.running = self.running and bool(data)
        self.rest += data
        while (split := self.rest.partition(b":"))[1] and len(split[2]) > int(split[0]):
            length = int(split[0])
            text, self.rest = split[2][:length], split[2][length + 1 :]
            said = json.loads(text)
            if said.get("event"):
                self.told(said)

    def told(self, said: dict[str, Any]) -> None:
        """An event of baresip's as one of ours."""
        kind, call = said.get("type"), said.get("id", "")
        if kind == "REGISTER_OK":
            self.events.emit("registered", code=200)
        elif kind == "REGISTER_FAIL":
            self.events.emit("register_failed", code=_status(said.get("param", "")))
        elif kind == "CALL_INCOMING":
            self.events.emit("incoming", call=call, **{"from": said.get("peeruri", "")})
        elif kind == "CALL_ESTABLISHED":
            self.events.emit("state", call=call, state="CONFIRMED", code=200)
        elif kind in ("TRANSFER", "CALL_TRANSFER_FAILED", "TRANSFER_FAILED"):
            self.events.emit("transfer", call=call, why=said.get("param", ""))
        elif kind == "CALL_CLOSED":
            self.events.emit("ended", call=call, reason=said.get("param", ""))
            self.keep_recording(call)

    def keep_recording(self, call: str) -> None:
        """sndfile writes a file of each direction; the one heard is wanted."""
        heard = sorted(self.folder.glob("dump-*-dec.wav"))
        if self.given.record and heard:
            self.given.record.write_bytes(heard[-1].read_bytes())
            self.events.emit("recorded", call=call, path=str(self.given.record))

    def obey(self, command: dict[str, Any]) -> None:
        """Commands of menu.so."""
        if command.get("do") in PARAMETERS:
            self.say(PARAMETERS[str(command["do"])], str(command["to"]))
        elif command.get("do") in COMMANDS:
            self.say(COMMANDS[str(command["do"])])
        else:
            raise ValueError(f"known: {', '.join((*PARAMETERS, *COMMANDS))}, quit")

    def say(self, command: str, parameters: str = "") -> None:
        """One netstring."""
        text = json.dumps({"command": command, "params": parameters}).encode()
        self.socket.sendall(b"%d:%s," % (len(text), text))

    def close(self) -> None:
        """SIGTERM makes it hang up and take its registration back."""
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()


def _module_folders() -> list[str]:
    """Debian has kept them in two places."""
    root = Path("/usr/lib")
    return [str(p) for pattern in ("", "*/") for p in root.glob(f"{pattern}baresip/modules")]


def _status(text: str) -> int:
    first = text.partition(" ")[0]
    return int(first) if first.isdecimal() else 0


if __name__ == "__main__":
    main(Baresip)

"""A phone of a fourth make: linphonec, by its console.

It speaks the lines of phones/softphone.py: started, registered, register_failed, incoming, state,
ended, recorded; it obeys call, answer, hangup, hold, resume and quit.
"""

import argparse
import re
import sys
from typing import Any

from phones.lines import EventWriter
from phones.sipp import free_media_port, free_port
from phones.wrapped import WrappedPhone, main

CONFIG = """
[sip]
bind_address={address}
guess_hostname=0
contact=sip:{user}@{address}
{kind}_port={port}
{others}
default_proxy=0
root_ca={ca}
verify_server_certs={verify}
verify_server_cn=0
auto_net_state_mon=0
register_only_when_network_is_up=0
media_encryption={encryption}
media_encryption_mandatory={mandatory}
use_ipv6=0

[rtp]
audio_rtp_port={media}
nortp_timeout=60

[proxy_0]
reg_proxy=<sip:{registrar};transport={transport}>
reg_route=<sip:{registrar};transport={transport}>
reg_identity=sip:{user}@{domain}
reg_expires=300
reg_sendregister=1

[auth_info_0]
username={user}
passwd={password}
domain={domain}

[audio_codec_0]
mime=PCMA
rate=8000
channels=1
enabled=1

[audio_codec_1]
mime=PCMU
rate=8000
channels=1
enabled=1
"""
# What linphonec prints, and what it means.
INCOMING = re.compile(r"Receiving new incoming call from (.*), assigned id (\d+)")
ESTABLISHED = re.compile(r"Call (\d+) with .* connected")
ENDED = re.compile(r"Call (\d+) with .* (?:ended|error)")
REGISTERED = re.compile(r"^registered, identity=")
REFUSED = re.compile(r"Registration on .* failed: (.*)")
COMMANDS = {"answer": "answer", "hangup": "terminate", "hold": "pause", "resume": "resume"}


class Linphone(WrappedPhone):
    """linphonec with files in place of a sound card."""

    program = "linphonec"
    package = "linphone-cli"

    def __init__(self, given: argparse.Namespace, events: EventWriter) -> None:
        super().__init__(given, events)
        transport = given.transport
        port = given.local_port or free_port("udp" if transport == "udp" else "tcp")
        kinds = {"udp": "sip", "tcp": "sip_tcp", "tls": "sip_tls"}
        others = [f"{kind}_port=0" for one, kind in kinds.items() if one != transport]
        config = self.folder / "rc"
        config.write_text(
            CONFIG.format(
                address=given.address,
                user=given.user,
                transport=transport,
                kind=kinds[transport],
                port=port,
                others="\n".join(others),
                ca=given.ca or "",
                verify=int(given.ca is not None),
                media=free_media_port(),
                encryption="none" if given.srtp == "off" else "srtp",
                mandatory=int(given.srtp == "mandatory"),
                registrar=given.registrar,
                domain=given.domain,
                password=given.password,
            ),
            encoding="utf-8",
        )
        (self.folder / ".local/share/linphone").mkdir(parents=True)
        self.start("-c", str(config), *(["-a"] if given.auto_answer is not None else []))
        self.rest = ""
        self.is_registered = False
        self.say("soundcard use files")
        self.say(f"play {self.sound}")
        if given.record:
            self.say(f"record {given.record}")
        events.emit("started", user=given.user, address=f"{given.address}:{port}")

    def sources(self) -> list[int]:
        """Its console."""
        assert self.child is not None
        assert self.child.stdout is not None
        return [self.child.stdout.fileno()]

    def read(self, descriptor: int) -> None:
        """Lines of its console; the last one may be a prompt without an end."""
        assert self.child is not None
        assert self.child.stdout is not None
        said = self.child.stdout.read1(65536).decode(errors="replace")
        sys.stderr.write(said)
        self.running = self.running and bool(said)
        *lines, self.rest = (self.rest + said).split("\n")
        for line in lines:
            self.told(line)

    def told(self, line: str) -> None:
        """A line of linphonec's as an event of ours."""
        if found := INCOMING.search(line):
            self.events.emit("incoming", call=found[2], **{"from": found[1]})
        elif found := ESTABLISHED.search(line):
            self.events.emit("state", call=found[1], state="CONFIRMED", code=200)
        elif found := ENDED.search(line):
            self.events.emit("ended", call=found[1])
            if self.given.record:
                self.events.emit("recorded", call=found[1], path=str(self.given.record))
        elif REGISTERED.search(line) and not self.is_registered:
            self.is_registered = True
            self.events.emit("registered", code=200)
        elif found := REFUSED.search(line):
            self.events.emit("register_failed", code=0, reason=found[1])

    def idle(self) -> None:
        """It says nothing of itself when it is registered."""
        if not self.is_registered:
            self.say("status register")

    def obey(self, command: dict[str, Any]) -> None:
        """Commands of its console."""
        if command.get("do") == "call":
            self.say(f"call {command['to']}")
        elif command.get("do") in COMMANDS:
            self.say(COMMANDS[str(command["do"])])
        else:
            raise ValueError(f"known: call, {', '.join(COMMANDS)}, quit")

    def say(self, line: str) -> None:
        """One line."""
        assert self.child is not None
        assert self.child.stdin is not None
        self.child.stdin.write(f"{line}\n".encode())
        self.child.stdin.flush()

    def close(self) -> None:
        """It takes its registration back when it ends."""
        try:
            self.say("quit")
        except BrokenPipeError:
            return


if __name__ == "__main__":
    main(Linphone)

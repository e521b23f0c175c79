"""A phone program of somebody else's behind our events and commands: what the wrappers share."""

import argparse
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from phones.lifetime import bound, die_with_parent
from phones.lines import CommandReader, EventWriter, take_standard_output
from phones.tones import write_tone

END_SECONDS = 5.0
IDLE_SECONDS = 0.2


def arguments(program: str) -> argparse.Namespace:
    """The command line, a part of softphone.py's."""
    parser = argparse.ArgumentParser(prog=program)
    add = parser.add_argument
    add("--user", required=True)
    add("--password", default="")
    add("--domain", default="127.0.0.1")
    add("--registrar", required=True, metavar="HOST:PORT")
    add("--transport", choices=("udp", "tcp", "tls"), default="udp")
    add("--ca", type=Path, help="the authority that the registrar's certificate must be of")
    add("--srtp", choices=("off", "mandatory"), default="off")
    add("--address", default="127.0.0.1")
    add("--local-port", type=int, default=0)
    add("--tone", type=int, default=440, metavar="HZ")
    add("--record", type=Path, metavar="FILE.wav")
    add("--auto-answer", type=float)
    add("--parent", type=int, default=0)
    return parser.parse_args()


class WrappedPhone:
    """A program as a child process in a folder of its own; subclasses know its language."""

    program = ""
    package = ""

    def __init__(self, given: argparse.Namespace, events: EventWriter) -> None:
        self.given = given
        self.events = events
        self.running = True
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.program}-"))
        self.sound = self.folder / "tone.wav"
        write_tone(self.sound, given.tone)
        self.child: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> subprocess.Popen[bytes]:
        """Starts the program; what it prints is read from its standard output."""
        path = shutil.which(self.program)
        if path is None:
            sys.exit(f"{self.program} is not installed: apt-get install {self.package}")
        self.child = subprocess.Popen(
            bound([path, *options]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            env={**os.environ, "HOME": str(self.folder), "TERM": "dumb"},
            start_new_session=True,
        )
        return self.child

    def sources(self) -> list[int]:
        """Descriptors that the program may be read from."""
        return []

    def read(self, descriptor: int) -> None:
        """There is something to be read."""

    def idle(self) -> None:
        """Nothing has happened for a moment."""

    def obey(self, command: dict[str, Any]) -> None:
        """One command of ours."""
        raise NotImplementedError

    def close(self) -> None:
        """Takes the registration back and lets the program end."""

    def run(self) -> None:
        """Until quit, SIGTERM, the end of standard input, or the program's own end."""
        commands = CommandReader(sys.stdin.fileno())
        while self.running and not commands.closed:
            ready, _, _ = select.select(
                [commands.descriptor, *self.sources()], [], [], IDLE_SECONDS
            )
            if not ready:
                self.idle()
            for descriptor in ready:
                if descriptor == commands.descriptor:
                    for command in commands.poll():
                        self.do(command)
                else:
                    self.read(descriptor)
        self.close()
        if self.child is not None:
            try:
                self.child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
        self.events.emit("bye")
        shutil.rmtree(self.folder, ignore_errors=True)

    def do(self, command: dict[str, Any]) -> None:
        """`quit`, or a command that the program knows; a wrong one is told as `error`."""
        try:
            if command.get("do") == "quit":
                self.running = False
            else:
                self.obey(command)
        except (KeyError, ValueError) as error:
            self.events.emit("error", do=command.get("do"), why=str(error))


def main(make: type[WrappedPhone]) -> None:
    """Runs a wrapper."""
    given = arguments(make.program)
    if given.parent:
        die_with_parent(given.parent, signal.SIGTERM)
    phone = make(given, take_standard_output())

    def stop(number: int, frame: Any) -> None:
        phone.running = False

    signal.signal(signal.SIGTERM, stop)
    phone.run()

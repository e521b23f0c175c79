"""A command-line softphone on pjsua2: commands in and events out as JSON lines.

    python -m phones.softphone --user 8001 --password secret-8001 --domain hotline.local \\
        --registrar 127.0.0.1:5060 --tone 440 --record heard.wav --auto-answer 1.5,0.5
"""

import argparse
import gc
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from phones.endpoint import G711, Endpoint, EndpointOptions
from phones.laws import Law, parse_law
from phones.lifetime import die_with_parent
from phones.lines import CommandReader, EventWriter, take_standard_output
from phones.phone import Phone, PhoneOptions
from phones.tones import write_tone

LAST_SECONDS = 6  # an exit that hangs longer is ended by the alarm


def arguments(line: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="softphone", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--user", required=True)
    add("--password", default="")
    add("--domain", default="127.0.0.1")
    add("--registrar", default="", metavar="HOST:PORT", help="none: calls by address only")
    add("--transport", choices=("udp", "tcp", "tls"), default="udp")
    add("--ca", type=Path, help="the authority that TLS certificates must be of")
    add("--address", default="127.0.0.1", help="the local address, for SIP and RTP")
    add("--local-port", type=int, default=0)
    add("--codec", choices=G711, help="offers and takes this one alone")
    add("--srtp", choices=("off", "optional", "mandatory"), default="off")
    add("--keys", choices=("events", "sound"), default="events", help="how digits are pressed")
    add("--expires", type=int, default=300, metavar="SECONDS")
    add("--play", type=Path, metavar="FILE.wav")
    add("--tone", type=int, metavar="HZ", help="plays a tone in place of a file")
    add("--record", type=Path, metavar="FILE.wav", help="{call} in it becomes the call's name")
    add("--auto-answer", type=parse_law, metavar="SECONDS[,CV]")
    add("--no-answer", action="store_true", help="rings for ever")
    add("--refuse", type=int, default=0, metavar="CODE")
    add("--talk-mean", type=float, metavar="SECONDS", help="hangs up after a lognormal time")
    add("--talk-cv", type=float, default=0.5)
    add("--talk", type=parse_law, metavar="SECONDS[,CV|,exp]", help="the same as one law")
    add("--calls", type=int, default=1, help="incoming calls beyond get 486 (at most 4)")
    add("--seed", type=int, default=0)
    add("--script", type=Path, help='lines of {"wait": EVENT}, {"sleep": SECONDS}, {"do": ...}')
    add("--log-level", type=int, default=2, choices=range(7))
    add("--parent", type=int, default=0, help="dies with this process, its parent")
    return parser.parse_args(line)


def phone_options(given: argparse.Namespace) -> PhoneOptions:
    """The command line as the phone's options; a tone is written to a file of its own."""
    play = given.play
    if given.tone:
        play = Path(tempfile.mkdtemp(prefix="softphone-")) / f"{given.tone}.wav"
        write_tone(play, given.tone)
    return PhoneOptions(
        user=given.user,
        password=given.password,
        domain=given.domain,
        registrar=given.registrar,
        transport=given.transport,
        expires_seconds=given.expires,
        play=play,
        record=given.record,
        auto_answer=None if given.no_answer else given.auto_answer,
        talk=given.talk or (Law(given.talk_mean, given.talk_cv) if given.talk_mean else None),
        refuse=given.refuse,
        calls=given.calls,
        seed=given.seed,
        srtp=given.srtp,
        keys=given.keys,
    )


class Script:
    """Plays a script's steps: waits for events, sleeps, commands."""

    def __init__(self, phone: Phone, steps: list[dict[str, Any]]) -> None:
        self.phone = phone
        self.steps = steps
        self.waiting = ""
        emit = phone.events.emit

        def watched(event: str, **fields: Any) -> None:
            emit(event, **fields)
            if event == self.waiting:
                self.waiting = ""
                phone.after(0, self.go)

        phone.events.emit = watched  # type: ignore[method-assign]
        phone.after(0, self.go)

    def go(self) -> None:
        """Does steps until one has to wait."""
        while self.steps:
            step = self.steps.pop(0)
            if "wait" in step:
                self.waiting = str(step["wait"])
                return
            if "sleep" in step:
                self.phone.after(float(step["sleep"]), self.go)
                return
            self.phone.obey(step)


def run(given: argparse.Namespace, events: EventWriter) -> None:
    """The loop until quit, SIGTERM or the end of standard input."""
    codecs = (given.codec,) if given.codec else G711
    where = EndpointOptions(
        given.transport,
        given.address,
        given.local_port,
        given.log_level,
        codecs=codecs,
        ca=given.ca,
    )
    endpoint = Endpoint(where)
    phone = Phone(phone_options(given), endpoint, events)

    def stop(number: int, frame: Any) -> None:
        phone.running = False

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    commands = CommandReader(sys.stdin.fileno())
    script = None
    if given.script:
        lines = given.script.read_text(encoding="utf-8").splitlines()
        script = Script(phone, [json.loads(line) for line in lines if line.strip()])
    while phone.running and not commands.closed:
        phone.turn()
        for command in commands.poll():
            phone.obey(command)
    signal.alarm(LAST_SECONDS)
    phone.close()
    del script
    events.emit("bye")


def main() -> None:
    """Runs the phone; leaves without the library's own exit handlers, which may hang."""
    given = arguments()
    if given.parent:
        die_with_parent(given.parent, signal.SIGTERM)
    events = take_standard_output()
    gc.disable()  # the loop makes no cycles; the library must not be freed at random moments
    run(given, events)
    os._exit(0)


if __name__ == "__main__":
    main()

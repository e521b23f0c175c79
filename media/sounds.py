"""What a leg is asked to do with sound: keys to press, loudness, and what is to be told of it."""

from media import events
from media import messages as m
from media.dtmf import check_digits
from media.tick import Tick, ticks

Sounding = m.Say | m.Dial | m.Gain | m.Watch | m.Discern | m.Measure


class Sounds:
    """Performs the commands for one leg each."""

    def __init__(self, tick: Tick) -> None:
        self.tick = tick

    def obey(self, command: Sounding, leg: int) -> None:
        """Perform one command; LocalProtocolError when it makes no sense."""
        match command:
            case m.Say(prompts=prompts, below=below):
                self.tick.overlay.say(leg, prompts, below)
            case m.Dial():
                self._dial(command, leg)
            case m.Gain(db=db):
                self.tick.hearing.gains.set(leg, db)
            case m.Watch(on=on):
                self.tick.hearing.watched[leg] = on
            case m.Discern(on=on):
                discerning = self.tick.hearing.discerning
                (discerning.start if on else discerning.stop)(leg)
            case m.Measure(leg=name):
                stats = self.tick.legs.stats(leg)
                self.tick.emit(events.Measured(name, self.tick.hearing.sound(leg), stats))

    def _dial(self, command: m.Dial, leg: int) -> None:
        check_digits(command.digits)
        if self.tick.legs.dtmf_send_type[leg] < 0:
            self.tick.overlay.dial(leg, tuple(f"key:{digit}" for digit in command.digits))
            return
        tone, gap = ticks(command.tone_ms / 1000), ticks(command.gap_ms / 1000)
        self.tick.dialler.dial(leg, command.digits, tone, gap)

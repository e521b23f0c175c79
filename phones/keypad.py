"""Keys in the sound (ITU-T Q.23), of a phone that knows no telephone-event (RFC 4733)."""

from typing import TYPE_CHECKING

import pjsua2 as pj

if TYPE_CHECKING:
    from phones.phone import Phone
    from phones.phone_call import PhoneCall

RATE = 8000
ON_MS, OFF_MS = 120, 120
FIRST_MS = 200  # of silence: what was said before is gone from the sound card's buffers


def without_events(sdp: str) -> str:
    """A description that offers, or takes, no telephone-event."""
    lines = sdp.split("\r\n")
    named = [line for line in lines if line.startswith("a=rtpmap:") and "telephone-event" in line]
    numbers = {line.removeprefix("a=rtpmap:").split(" ")[0] for line in named}
    kept = []
    for line in lines:
        if line.startswith("m=audio"):
            head, formats = line.split(" ")[:3], line.split(" ")[3:]
            line = " ".join([*head, *(one for one in formats if one not in numbers)])
        elif line.startswith(
            tuple(f"a={what}:{n} " for what in ("rtpmap", "fmtp") for n in numbers)
        ):
            continue
        kept.append(line)
    return "\r\n".join(kept)


def press(phone: "Phone", call: "PhoneCall", digits: str) -> None:
    """The voice rests meanwhile, as a telephone's does."""
    audio = call.getAudioMedia(call.stream)
    voice = None if call.play is None else phone.endpoint.player(call.play)
    if voice is not None:
        voice.stopTransmit(audio)
    generator = pj.ToneGenerator()
    generator.createToneGenerator(RATE, 1)
    tones = pj.ToneDigitVector()
    for digit in digits:
        tone = pj.ToneDigit()
        tone.digit, tone.on_msec, tone.off_msec = digit, ON_MS, OFF_MS
        tones.append(tone)
    generator.startTransmit(audio)
    call.keypad = generator

    def begin() -> None:
        if not call.over:
            generator.playDigits(tones)

    def end() -> None:
        call.keypad = None
        if not call.over and voice is not None:
            voice.startTransmit(call.getAudioMedia(call.stream))

    phone.after(FIRST_MS / 1000, begin)
    phone.after((2 * FIRST_MS + len(digits) * (ON_MS + OFF_MS)) / 1000, end)

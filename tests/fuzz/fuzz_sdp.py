"""Whatever bytes come, reading and answering a description raise RemoteProtocolError or nothing."""

from __future__ import annotations

import contextlib

from callcore.errors import RemoteProtocolError
from callcore.sdp import LocalMedia, make_answer, parse_sdp, read_answer, render_sdp
from tests.callcore.message.samples import SDP
from tests.fuzz.mutations import fuzz

CORPUS = [
    SDP,
    SDP.replace(b"IP4 192.0.2.15", b"IP6 2001:db8::15") + b"a=sendonly\r\nm=video 4 RTP/AVP 31\r\n",
    SDP.replace(b"8 0 101", b"96 97") + b"a=rtpmap:96 PCMA/8000\r\na=fmtp:97 0-15\r\n",
]
LOCAL = LocalMedia("127.0.0.1", 20000)


def target(data: bytes) -> None:
    """Parse, write, parse again to the same; answer, and read our own answer."""
    try:
        description = parse_sdp(data)
    except RemoteProtocolError:
        return
    again = parse_sdp(render_sdp(description))
    assert again == parse_sdp(render_sdp(again))
    assert [media.codecs for media in again.media] == [m.codecs for m in description.media]
    with contextlib.suppress(RemoteProtocolError):
        read_answer(LOCAL, description)
    try:
        text, agreed = make_answer(description, LOCAL)
    except RemoteProtocolError:
        return
    answer = parse_sdp(text)
    assert len(answer.media) == len(description.media)
    assert sum(media.port != 0 for media in answer.media) == 1
    assert agreed.remote_port != 0


if __name__ == "__main__":
    fuzz(target, CORPUS)

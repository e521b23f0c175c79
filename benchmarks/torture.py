"""The worst time to parse anything of up to 64 kB: messages, streams, descriptions, credentials.

Each shape is taken at the sizes where it hurts most, its best of several tries counts (noise only
ever adds), and the worst of all shapes is the figure. What is read is what the engine reads before
it trusts anybody: all fields that routing rests on, and each list that a request may carry.
"""

import contextlib
import gc
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, parser, say  # noqa: E402
from callcore.errors import RemoteProtocolError  # noqa: E402
from callcore.message import Framer, Request, parse, refusal, validate  # noqa: E402
from callcore.message.digest import parse_challenge, parse_credentials  # noqa: E402
from callcore.message.message import READERS  # noqa: E402
from callcore.sdp import LocalMedia, make_answer, parse_sdp  # noqa: E402

BAR_MS = 5.0
MOST = 65_536
LOCAL = LocalMedia("127.0.0.1", 20000)
START = b"INVITE sip:12345@hotline.example.com SIP/2.0\r\n"
FIELDS = {
    "Via": b"SIP/2.0/UDP 192.0.2.15:5060;branch=z9hG4bK1",
    "From": b"<sip:a@example.com>;tag=1",
    "To": b"<sip:b@example.com>",
    "Call-ID": b"a@b",
    "CSeq": b"1 INVITE",
    "Max-Forwards": b"70",
    "Contact": b"<sip:a@192.0.2.15>",
}


def message(changes: dict[str, bytes] | None = None, more: bytes = b"", body: bytes = b"") -> bytes:
    """An INVITE with some fields changed and some added."""
    fields = {**FIELDS, **(changes or {})}
    head = b"".join(name.encode() + b": " + value + b"\r\n" for name, value in fields.items())
    return START + head + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def grown(one: bytes, most: int = MOST - 700) -> bytes:
    """As many as fit."""
    return one * (most // len(one))


def joined(one: bytes, between: bytes = b",", most: int = MOST - 700) -> bytes:
    """The same with something between."""
    return between.join([one] * (most // (len(one) + len(between))))


def messages() -> Iterator[tuple[str, bytes]]:
    """Shapes of whole messages."""
    via = b"SIP/2.0/UDP 192.0.2.15:5060;branch=z9hG4bK1"
    address = b'"A \\" B" <sip:a@b;c=d>;q=0.1'
    for name, few in (("usual", b"l:1\r\n"), ("unknown", b"X-%d: 1\r\n")):
        yield f"{name} header fields, 500", message(more=few.replace(b"l:1", b"Allow: A") * 500)
        yield f"{name} header fields, 64 kB", message(more=grown(few))
    yield "folds", message({"Subject": grown(b"\r\n a")})
    yield "folds, 490", message({"Subject": b"\r\n ".join([b"a" * 125] * 490)})
    yield "folds in 240 fields", message(more=(b"X-Y: " + b"a" * 120 + b"\r\n b\r\n") * 240)
    yield "spaces", message({"Subject": grown(b" ") + b"x"})
    yield "tabs before a colon", message(more=b"Subject" + grown(b"\t") + b": x\r\n")
    yield "Via list in one field", message({"Via": joined(via)})
    yield "Via list in 500 fields", message(more=(b"Via: " + via + b"\r\n") * 500)
    yield (
        "Via list in 500 long fields",
        message(more=(b"Via: " + joined(via, most=120) + b"\r\n") * 500),
    )
    yield "Via parameters", message({"Via": via + grown(b";a")})
    yield "Via parameters with values", message({"Via": via + grown(b";a=b")})
    yield "Via quoted value", message({"Via": via + b';a="' + grown(b"\\\\") + b'"'})
    yield "Via open quote", message({"Via": via + b';a="' + grown(b"\\\\")})
    for name in ("From", "To", "Contact", "Record-Route", "Route", "P-Asserted-Identity"):
        yield f"{name} list", message({name: joined(address)})
        yield f"{name} parameters", message({name: b"<sip:a@b>" + grown(b";a=b")})
        yield f"{name} open quote", message({name: b'"' + grown(b"\\a")})
        yield f"{name} quotes", message({name: grown(b'""')})
        yield f"{name} angles", message({name: grown(b"<")})
        yield f"{name} commas", message({name: grown(b",")})
        yield f"{name} URI parameters", message({name: b"<sip:a@b" + grown(b";a=b") + b">"})
        yield f"{name} URI headers", message({name: b"<sip:a@b?" + joined(b"a=b", b"&") + b">"})
        yield f"{name} escapes", message({name: b"<sip:" + grown(b"%41") + b"@b>"})
        yield f"{name} broken escapes", message({name: b"<sip:" + grown(b"%4") + b"@b>"})
        yield f"{name} ats", message({name: b"<sip:" + grown(b"@") + b">"})
        yield f"{name} dots", message({name: b"<sip:a@" + grown(b"a.") + b">"})
        yield f"{name} brackets", message({name: b"<sip:a@[" + grown(b":") + b"]>"})
        yield f"{name} not UTF-8", message({name: b'"' + grown(b"\xff") + b'" <sip:a@b>'})
    yield "nested comments", message(more=b"User-Agent: " + grown(b"(") + b"\r\n")
    yield "nested comments, closed", message({"Date": grown(b"(", 32000) + grown(b")", 32000)})
    yield "digits of CSeq", message({"CSeq": grown(b"9") + b" INVITE"})
    yield "digits of Content-Length", message(more=b"l: " + grown(b"0") + b"\r\n")
    yield "digits of Max-Forwards", message({"Max-Forwards": grown(b"9")})
    yield "digits of Expires", message({"Expires": grown(b"9")})
    yield "long Call-ID", message({"Call-ID": grown(b"a")})
    yield "request URI", message().replace(b"12345@", grown(b"a") + b"@")
    yield (
        "request URI parameters",
        message().replace(b"example.com SIP", b"e" + grown(b";a=b") + b" SIP"),
    )
    yield "blank lines first", grown(b"\r\n", 64_000) + message()
    yield "NULs", message({"Subject": grown(b"\0")})
    yield "CRs", message({"Subject": grown(b"\r")})
    yield "LFs", message({"Subject": grown(b"\n")})
    yield "nothing but CRLF", grown(b"\r\n", MOST)
    yield "nothing but colons", grown(b":", MOST)
    yield "no end", START + grown(b"A: b\r\n", MOST - 100)
    yield "lists of tokens", message(more=b"Require: " + joined(b"a") + b"\r\n")
    yield "status line", b"SIP/2.0 200 " + grown(b"a") + message()[len(START) - 2 :]


def descriptions() -> Iterator[tuple[str, bytes]]:
    """Shapes of SDP."""
    head = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    media = b"m=audio 4000 RTP/AVP 8\r\n"
    many = b" ".join(b"%d" % (n % 128) for n in range(16_000))
    yield "attributes", head + media + grown(b"a=x\r\n", 65_000)
    yield "rtpmaps", head + media + grown(b"a=rtpmap:8 PCMA/8000\r\n", 65_000)
    yield "fmtps", head + media + grown(b"a=fmtp:8 a\r\n", 65_000)
    yield "media", head + grown(media, 65_000)
    yield "refused media", head + media + grown(b"m=x 0 y z\r\n", 65_000)
    yield "formats", head + b"m=audio 4000 RTP/AVP " + many + b"\r\n"
    yield "formats and rtpmaps", (
        head + b"m=audio 4000 RTP/AVP " + many[:30_000] + b"\r\n"
        + grown(b"a=rtpmap:97 PCMA/8000\r\n", 34_000)
    )  # fmt: skip
    yield "bandwidths", head + grown(b"b=AS:1\r\n", 65_000) + media
    yield "times", head + grown(b"t=0 0\r\n", 65_000) + media
    yield "connections", head + media + grown(b"c=IN IP4 192.0.2.1\r\n", 65_000)
    yield "lines without a value", head + grown(b"\r\n", 65_000)
    yield "one long line", head + media + b"a=fmtp:8 " + grown(b"0-15,", 65_000)
    yield "digits", head + b"m=audio " + grown(b"9", 65_000) + b" RTP/AVP 8\r\n"


def proofs() -> Iterator[tuple[str, bytes]]:
    """Shapes of digest fields."""
    yield "credentials: many fields", b"Digest " + joined(b"a=b", b", ")
    yield "credentials: open quote", b'Digest username="' + grown(b"\\a")
    yield "credentials: quotes", b"Digest " + grown(b'"')
    yield "credentials: spaces", b"Digest a" + grown(b" ") + b"=b"
    yield "credentials: long name", b"Digest " + grown(b"a")
    yield "credentials: long value", b'Digest username="' + grown(b"a") + b'"'


def read_message(data: bytes) -> None:
    """What the engine may read of a message, and its answer to one that cannot be read."""
    try:
        found = parse(data)
        if isinstance(found, Request):
            validate(found)
    except RemoteProtocolError as error:
        refusal(data, error)
        return
    for attribute in READERS:
        if attribute != "request_uri" or isinstance(found, Request):
            with contextlib.suppress(RemoteProtocolError):
                getattr(found, attribute)
    for name in ("Require", "Route", "P-Asserted-Identity", "Contact", "Record-Route"):
        with contextlib.suppress(RemoteProtocolError):
            found.values(name)


def read_description(data: bytes) -> None:
    """Parse and answer."""
    with contextlib.suppress(RemoteProtocolError):
        make_answer(parse_sdp(data), LOCAL)


def read_proof(data: bytes) -> None:
    """Both ways."""
    text = data.decode("utf-8", "surrogateescape")
    for read in (parse_credentials, parse_challenge):
        with contextlib.suppress(RemoteProtocolError):
            read(text)


def read_stream(data: bytes) -> None:
    """The whole as one read of a connection."""
    with contextlib.suppress(RemoteProtocolError):
        Framer().feed(data)


def cost_of_stream(data: bytes, step: int) -> float:
    """The slowest single feed when the bytes come `step` at a time, in milliseconds."""
    framer, worst = Framer(), 0.0
    with contextlib.suppress(RemoteProtocolError):
        for at in range(0, len(data), step):
            piece = data[at : at + step]
            start = time.perf_counter()
            framer.feed(piece)
            worst = max(worst, time.perf_counter() - start)
    return worst * 1000


def best_ms(work: Callable[[bytes], object], data: bytes, tries: int) -> float:
    """The best of some tries, in milliseconds."""
    best = float("inf")
    for _ in range(tries):
        start = time.perf_counter()
        work(data)
        best = min(best, time.perf_counter() - start)
    return best * 1000


def main() -> None:
    """Every shape; the slowest ten are told."""
    options = parser("torture", __doc__)
    options.add_argument("--all", action="store_true", help="every shape's time, not ten")
    given = options.parse_args()
    tries = 3 if given.quick else 9
    gc.collect()
    gc.freeze()
    times: dict[str, float] = {}
    for name, data in messages():
        times[name] = best_ms(read_message, data[:MOST], tries)
        times[f"stream: {name}"] = best_ms(read_stream, data[:MOST], tries)
    for name, data in descriptions():
        times[f"SDP: {name}"] = best_ms(read_description, data[:MOST], tries)
    for name, data in proofs():
        times[name] = best_ms(read_proof, data[:MOST], tries)
    whole = message(more=b"X: y\r\n" * 400, body=b"b" * 40_000)
    pieces = [("by the byte", 1), ("by 7 bytes", 7), ("by 1,460 bytes", 1460)]
    for name, step in pieces:
        start = time.perf_counter()
        worst = min(cost_of_stream(whole, step) for _ in range(tries))
        total = (time.perf_counter() - start) * 1000 / tries
        times[f"stream {name}, one read"] = worst
        say(f"stream {name}: {total:.1f} ms for {len(whole)} bytes")
    ranked = sorted(times.items(), key=lambda item: -item[1])
    for name, took in ranked if given.all else ranked[:10]:
        say(f"{took:8.3f} ms  {name}")
    outcome = Outcome("torture")
    outcome.figures = {
        "worst_ms": round(ranked[0][1], 3),
        "worst": ranked[0][0],
        "shapes": len(times),
        "most_bytes": MOST,
    }
    outcome.bar("worst_ms", BAR_MS, ranked[0][1] <= BAR_MS)
    outcome.finish()


if __name__ == "__main__":
    main()

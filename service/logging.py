"""Structured logs on standard error: masked numbers, hidden secrets, no floods.

Every part logs through `structlog.get_logger()`; what libraries log by the standard library takes
the same way. Nothing else in the product writes to standard error while it runs.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from config.schema import Logging

HIDDEN = "(hidden)"

# Values of these keys are numbers or addresses of people, whatever they look like.
NUMBER_KEY = re.compile(
    r"caller|called|callee|numbers?|outbound_number|mobile|phone|display|"
    r"(from_?|to|request|remote)?_?uri|from_?|to|contact|aor|impu"
)
# Identifiers and times: digits that are nobody's.
PLAIN_KEY = re.compile(
    r"timestamp|level|logger|\w+_ms|\w+_seconds|call|call_id|leg|recording|branch|tag|sha256|"
    r"size|bytes|pid|ports?|line|count"
)
SECRET_KEY = re.compile(r"pass(word|wd|phrase)?$|secret|authorization|cookie|nonce$|^token$|_key$")
# A secret inside of a text: a header, or a URL with a password.
SECRET_TEXT = (
    (re.compile(r"((?:Proxy-)?Authorization\s*:\s*)[^\r\n]*", re.IGNORECASE), r"\1" + HIDDEN),
    (re.compile(r"\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/@]+@", re.IGNORECASE), r"\1:***@"),
)
# Mobiles, with the country's code or not, and numbers with a trunk prefix and an area code.
NUMBER_TEXT = re.compile(r"(?<![0-9A-Za-z.])((?:\+?86)?1[3-9]\d{9}|0\d{9,11})(?![0-9A-Za-z])")
DIGITS = re.compile(r"\d{7,}")
# In an address only what stands before the @ is a person's; hosts and ports are not masked.
URI = re.compile(r"(?<![0-9A-Za-z])((?:sips?|tel):)(\+?)(\d{7,})", re.IGNORECASE)


def mask(number: str) -> str:
    """The first three and the last two of a run of digits; the number of digits stays."""
    return number[:3] + "*" * (len(number) - 5) + number[-2:]


def mask_number(value: str) -> str:
    """A value that is known to be a number or an address: every run of 7 digits or more."""
    return DIGITS.sub(lambda found: mask(found[0]), value)


def mask_text(value: str) -> str:
    """Free text: only what is a number by its form or its scheme, so that ids stay readable."""
    value = URI.sub(lambda found: found[1] + found[2] + mask(found[3]), value)
    return NUMBER_TEXT.sub(lambda found: mask_number(found[1]), value)


def _text(value: str, masked: bool) -> str:
    for pattern, shown in SECRET_TEXT:
        value = pattern.sub(shown, value)
    return mask_text(value) if masked else value


def _clean(key: str, value: Any, masked: bool) -> Any:
    """One value, and what is in it, without secrets and, if asked, without numbers."""
    if SECRET_KEY.search(key):
        return HIDDEN
    if isinstance(value, Mapping):
        return {name: _clean(str(name), inner, masked) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(key, inner, masked) for inner in value]
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or isinstance(value, (bool, float)):
        return value
    if NUMBER_KEY.fullmatch(key) and masked:
        shown = mask_number(str(value))
        return value if shown == str(value) else shown
    if isinstance(value, int) or PLAIN_KEY.fullmatch(key):
        return value
    return _text(str(value), masked)


class Cleaner:
    """Processor: hides secrets always, masks numbers if the configuration says so."""

    def __init__(self, mask_numbers: bool) -> None:
        self._masked = mask_numbers

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {key: _clean(key, value, self._masked) for key, value in event.items()}


AUDIT = "audit"  # the logger of what people did


class FloodGate(logging.Filter):
    """Of one message at most `burst` in `window_seconds`; the next one says how many were left out.

    A message is its logger, level and text; what differs in its values does not count, for a
    flood of packets from strangers differs in every address. Errors are counted like the rest:
    the first of them are the ones that tell something.
    """

    def __init__(
        self,
        burst: int = 20,
        window_seconds: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        remembered: int = 512,
    ) -> None:
        super().__init__()
        self._burst = burst
        self._window = window_seconds
        self._clock = clock
        self._remembered = remembered
        self._seen: OrderedDict[tuple[str, int | str, str], tuple[float, int]] = OrderedDict()

    def early(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Our own logs, before anything is made of them: most of a flood's cost is its form."""
        if logger.name == AUDIT:  # an auditor misses none
            return event
        left_out = self._left_out((logger.name, method, str(event.get("event"))[:200]))
        if left_out is None:
            raise structlog.DropEvent
        return {**event, "left_out": left_out} if left_out else event

    def foreign(self, record: logging.LogRecord) -> bool:
        """Whether a library's record passes; ours have passed."""
        return isinstance(record.msg, dict) or self.filter(record)

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record passes."""
        event = record.msg.get("event") if isinstance(record.msg, dict) else record.msg
        left_out = self._left_out((record.name, record.levelno, str(event)[:200]))
        if left_out:
            _tell_left_out(record, left_out)
        return left_out is not None

    def _left_out(self, message: tuple[str, int | str, str]) -> int | None:
        """How many like it were not let through since the last one was; None: nor is this one."""
        now, left_out = self._clock(), 0
        started, count = self._seen.pop(message, (now, 0))
        if now - started >= self._window:
            left_out = max(0, count - self._burst)
            started, count = now, 0
        self._seen[message] = (started, count + 1)
        if len(self._seen) > self._remembered:
            self._seen.popitem(last=False)
        return left_out if count < self._burst else None


def _tell_left_out(record: logging.LogRecord, left_out: int) -> None:
    if isinstance(record.msg, dict):
        record.msg = {**record.msg, "left_out": left_out}
    else:
        record.msg = f"{record.msg} ({left_out} like it left out)"


def _chosen(settings: Logging, stream: TextIO) -> tuple[Processor, ...]:
    """How a line is written at last."""
    if settings.format == "json" or (settings.format == "auto" and not stream.isatty()):
        # Exceptions as text, and cleaned after that: a traceback may quote a number as well.
        return (
            structlog.processors.format_exc_info,
            Cleaner(settings.mask_numbers),
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        )
    return (
        structlog.processors.format_exc_info,
        Cleaner(settings.mask_numbers),
        structlog.dev.ConsoleRenderer(colors=stream.isatty()),
    )


def set_up(settings: Logging, stream: TextIO | None = None) -> None:
    """Send every log of the process to `stream`, standard error if none is given."""
    stream = stream or sys.stderr
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    gate = FloodGate()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            gate.early,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_chosen(settings, stream),
            ],
        )
    )
    handler.addFilter(gate.foreign)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger(AUDIT).setLevel(logging.INFO)  # whatever else is wanted
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    # One line for each request would be most of the log, and URLs hold numbers.
    logging.getLogger("uvicorn.access").setLevel(max(level, logging.WARNING))
    for name in ("botocore", "boto3", "urllib3", "s3transfer"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))

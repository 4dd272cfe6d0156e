"""Structured logs on standard error, without personal data.

Two nets: events are fixed words and their values are ids, counts and reason names (that is the rule in the code); and a last
processor blanks whatever still looks like an INS number or an e-mail address (that is for the day someone forgets the rule).
A fault that nobody caught says its kind and its place, never its text nor a traceback, which show values: whether it ends the
process, a thread, a task or a Deferred.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

_PERSONAL = re.compile(
    r"\b[1-478]\d{2}(?:0[1-9]|[1-9]\d)(?:\d{2}|2[AB])\d{6}(?:\d{2})?\b|[^\s<>\"'=@]+@[^\s<>\"'@]+\.\w+"
)

_OURS = (
    "mailserver",
    "mssante",
    "foundation",
    "certs",
    "health_space",
    "citizen_inbox",
    "care_desk",
    "dmp_bridge",
    "runtime",
)


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blanks INS-like numbers and addresses in every text value."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = _PERSONAL.sub("[…]", value)
    return event


def configure(level: str = "info") -> None:
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # a line and its end at once: processes share the file
        cache_logger_on_first_use=True,
    )
    # Libraries' own logs may hold what a peer sent: only their serious troubles, and redacted.
    _hear_of_crashes()
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_redact_record)
    logging.basicConfig(
        level=logging.ERROR, handlers=[handler], force=True, format="%(levelname)s %(name)s %(message)s"
    )


def _redact_record(record: logging.LogRecord) -> bool:
    """Our own words with their values; of a library its sentence only, the first line, and the kind of the fault."""
    if not record.name.startswith(_OURS):
        record.args = _blanked(record.args)
    text = record.getMessage().partition("\n")[0]
    if record.name == "asyncio":  # which shows a callback with its arguments
        text = text.partition("(")[0].partition("<")[0].rstrip()
    if record.exc_info and record.exc_info[0] is not None:
        text += f" ({record.exc_info[0].__name__} at {place(record.exc_info[2])})"
    record.msg, record.args = _PERSONAL.sub("[…]", text), ()
    record.exc_info = record.exc_text = record.stack_info = None  # a traceback shows values
    return True


def _blanked(args: Any) -> Any:
    if isinstance(args, dict):
        return {name: _blank(value) for name, value in args.items()}
    return tuple(map(_blank, args)) if isinstance(args, tuple) else args


def _blank(value: object) -> object:
    return value if isinstance(value, int | float) else "[…]"


# ---------------------------------------------------------------- what nobody caught
def place(trace: TracebackType | None) -> str:
    """Where it happened: `file.py:12`."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else "?"


def _hear_of_crashes() -> None:
    log = structlog.get_logger()

    def crashed(kind: type[BaseException], _fault: BaseException, trace: TracebackType | None) -> None:
        log.error("crashed", error=kind.__name__, at=place(trace))

    def thread_crashed(given: threading.ExceptHookArgs) -> None:
        log.error("thread_crashed", error=given.exc_type.__name__, at=place(given.exc_traceback))

    def ignored(given: sys.UnraisableHookArgs) -> None:
        log.error("fault_ignored", error=given.exc_type.__name__, at=place(given.exc_traceback))

    sys.excepthook, threading.excepthook, sys.unraisablehook = crashed, thread_crashed, ignored


def hear_of_twisted() -> None:
    """Without an observer Twisted prints what it did not expect, with its traceback. Its reactor must be installed before."""
    from twisted.logger import LogEvent, globalLogBeginner

    log = structlog.get_logger()

    def observe(event: LogEvent) -> None:
        failure = event.get("log_failure")
        if failure is not None:
            log.error("twisted_fault", error=failure.type.__name__, at=place(failure.getTracebackObject()))

    globalLogBeginner.beginLoggingTo([observe], discardBuffer=True, redirectStandardIO=False)  # type: ignore[list-item]

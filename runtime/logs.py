"""Structured logs on standard error, without personal data.

Two nets: events are fixed words and their values are ids, counts and reason names (that is the rule in the code); and a last
processor blanks whatever still looks like an INS number or an e-mail address (that is for the day someone forgets the rule).
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_PERSONAL = re.compile(
    r"\b[1-478]\d{2}(?:0[1-9]|[1-9]\d)(?:\d{2}|2[AB])\d{6}(?:\d{2})?\b|[^\s<>\"'=@]+@[^\s<>\"'@]+\.\w+"
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
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_redact_record)
    logging.basicConfig(
        level=logging.ERROR, handlers=[handler], force=True, format="%(levelname)s %(name)s %(message)s"
    )


def _redact_record(record: logging.LogRecord) -> bool:
    record.msg, record.args = _PERSONAL.sub("[…]", record.getMessage()), ()
    record.exc_info = record.exc_text = None  # a traceback shows values
    return True

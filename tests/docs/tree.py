"""Where the product's own files lie, for what reads them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "foundation",
    "mssante",
    "certs",
    "mailserver",
    "health_space",
    "citizen_inbox",
    "care_desk",
    "dmp_bridge",
    "runtime",
)

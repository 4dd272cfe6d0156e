"""Why something was refused: each reason has a name, the clause it enforces and one sentence per language.

Principle 4 of ARCHITECTURE.md: the SMTP reply, the web notice, the audit row and the bounce each translate the same reason.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` and `enhanced` are the SMTP reply (RFC 5321 4.2, RFC 3463); sentences are `str.format` templates over the verdict's detail."""

    name: str
    clause: str  # "rules 3.4": section and row of docs/rules.md
    code: int
    enhanced: str
    fr: str
    en: str

"""`mssante doctor`: everything that can be wrong before a start, said at once, in words an operator can act on.

Each check is a small function over the settings that yields findings; nothing is changed. Checks that need the server stopped
(free ports) or running (bound ports, jobs) say so. The clocks are arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby

from foundation.clock import KernelClock, kernel_clock
from foundation.wording import Lang
from runtime.doctor import kept, machine, others, trusted
from runtime.doctor.finding import Check, Finding
from runtime.settings import Settings

__all__ = ["Finding", "ask", "examine", "told"]


def examine(
    settings: Settings,
    now: int,
    *,
    running: bool = False,
    kernel: Callable[[], KernelClock | None] = kernel_clock,
) -> list[Finding]:
    """All findings; `now` in ms. `running`: the server runs: its doors must answer, not be free."""
    checks: tuple[Check, ...] = (
        kept.keys,
        kept.secrets,
        trusted.certificate,
        trusted.ends,
        trusted.revocation,
        trusted.trust,
        partial(machine.clock, kernel=kernel()),
        machine.dkim,
        others.antivirus,
        machine.archives,
        others.openid,
        partial(kept.database, running=running),
        kept.disk,
        machine.outbox,
        machine.help_named,
        machine.reload,
        machine.bound_doors if running else machine.free_doors,
    )
    return [finding for check in checks for finding in check(settings, now)]


def ask(settings: Settings, now: int) -> Iterator[Finding]:
    """What others say, which may take seconds, and what only people can answer: not looked at before each start."""
    for check in (kept.operators, others.antivirus_takes_all, others.openid_answers, others.dns_records):
        yield from check(settings, now)


def told(findings: list[Finding], lang: Lang) -> str:
    """What is wrong, a line each, and below what that means and what to do, once for all that have it in common; one sentence when
    there is nothing.
    """
    in_order = "Tout est en ordre." if lang == "fr" else "Everything is in order."
    groups = groupby(findings, lambda one: one.help(lang))
    return "\n".join(line for help, ones in groups for line in (*(one.head(lang) for one in ones), help)) or in_order

"""Processes that end with the test process, however that ends: Linux sends them a signal then (prctl(2), PR_SET_PDEATHSIG)."""

from __future__ import annotations


def ends_with_us(*command: str, by: str = "TERM", user: str = "") -> list[str]:
    """The command that runs `command` so, in the same process; as another user where one is named. Linux counts the thread that
    starts it as its parent: never start one in a thread that ends."""
    other = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
    return ["setpriv", *other, f"--pdeathsig={by}", "--", *command]

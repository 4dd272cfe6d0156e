"""Whose hand is at the keyboard, for the audit trail: an account of this machine, and how we know.

The kernel keeps the account that logged in (`/proc/self/loginuid`, set by pam_loginuid) through `sudo` and `su`; nobody but root
changes it. Where there is none (containers, cron), sudo's word is taken, then the account that runs the command: both are what the
caller's environment allows. None of it stops root, who reads the master key anyway: an author is for people who hold to the rules.
Who has shown their own passphrase (`runtime.operator_acts`) is better known than by any account.
"""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

LOGIN = Path("/proc/self/loginuid")
UNSET = 2**32 - 1
KEY = "key"  # begins the text of who has shown their passphrase; no account's does
LONGEST = 32  # characters of an author in the trail


class By(Enum):
    LOGIN = "login"  # the kernel's word
    SUDO = "sudo"  # sudo's, which whoever runs the command without sudo can write too
    ACCOUNT = "account"  # the one that runs the command
    KEY = "key"  # their passphrase's


@dataclass(frozen=True, slots=True)
class Author:
    """`account`: whose keyboard it is, where that is another question."""

    name: str
    by: By
    account: str = ""

    @property
    def text(self) -> str:
        return f"{KEY if self.by is By.KEY else 'operator'} {self.name}"[:LONGEST]

    @property
    def details(self) -> dict[str, str]:
        """For the trail, beside the text."""
        return {"author_by": self.by.value} | ({"account": self.account} if self.account else {})


def author_now() -> Author:
    try:
        login = int(LOGIN.read_text())
    except (OSError, ValueError):
        login = UNSET
    if login != UNSET:
        return Author(_name(login), By.LOGIN)
    if sudo := os.environ.get("SUDO_USER"):
        return Author(sudo, By.SUDO)
    return Author(_name(os.getuid()), By.ACCOUNT)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

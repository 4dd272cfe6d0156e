"""E-mail to citizens' private addresses, outside the trust space: a configured relay, or a folder of .eml files (default).

Nothing about health may ever pass here: callers give a subject and a text that only say that something happened (rules.md section
9). Failures raise `NotSent`, without the address: the notice's job tries again.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from pathlib import Path
from secrets import token_hex
from typing import Protocol

import aiosmtplib

from foundation.clock import Clock, system_clock

TIMEOUT = 60.0  # seconds for each step with the relay


class NotSent(Exception):
    """The relay did not take it. `permanent`: trying again is useless. The text holds no address."""

    def __init__(self, text: str, permanent: bool = False) -> None:
        super().__init__(text)
        self.permanent = permanent


class Outbox(Protocol):
    async def send(self, to: str, subject: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Letterhead:
    """`sender`: an address that exists and is not read, its `name` is what people see."""

    sender: str
    name: str = "Messagerie Santé"
    clock: Clock = system_clock
    token: Callable[[], str] = token_hex

    def write(self, to: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage(policy=SMTP_POLICY)
        message["From"] = f"{self.name} <{self.sender}>"
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = format_datetime(datetime.fromtimestamp(self.clock() / 1000, UTC))
        message["Message-ID"] = f"<{self.token()}@{self.sender.rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text, charset="utf-8", cte="quoted-printable")
        return message


class FolderOutbox:
    """Each message becomes `<time>-<token>.eml`, whole or not at all, readable by this user only."""

    def __init__(self, folder: Path, letterhead: Letterhead) -> None:
        self._folder = folder
        self._letterhead = letterhead

    async def send(self, to: str, subject: str, text: str) -> None:
        await asyncio.to_thread(self._write, self._letterhead.write(to, subject, text).as_bytes())

    def _write(self, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = f"{self._letterhead.clock()}-{self._letterhead.token()}.eml"
        part = self._folder / f".{name}"
        with open(part, "xb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
        part.rename(self._folder / name)


@dataclass(frozen=True, slots=True)
class Relay:
    """`tls`: "starttls" (required, never optional), "implicit", or "none" for a relay on this machine."""

    host: str
    port: int
    tls: str = "starttls"
    login: str | None = None
    password: str | None = None
    context: ssl.SSLContext | None = None  # None: the system's authorities


class SmtpOutbox:
    """One connection per message: notices are few, and a relay's idle limits are not ours to guess."""

    def __init__(self, relay: Relay, letterhead: Letterhead) -> None:
        self._relay = relay
        self._letterhead = letterhead

    async def send(self, to: str, subject: str, text: str) -> None:
        relay, message = self._relay, self._letterhead.write(to, subject, text)
        client = aiosmtplib.SMTP(
            hostname=relay.host,
            port=relay.port,
            use_tls=relay.tls == "implicit",
            start_tls=relay.tls == "starttls",
            tls_context=None if relay.tls == "none" else relay.context or ssl.create_default_context(),
            username=relay.login,
            password=relay.password,
            timeout=TIMEOUT,
        )
        try:
            async with client:
                await client.sendmail(self._letterhead.sender, [to], message.as_bytes())
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise NotSent("recipient refused", all(500 <= one.code < 600 for one in error.recipients)) from None
        except aiosmtplib.SMTPResponseException as error:
            raise NotSent(f"relay answered {error.code}", 500 <= error.code < 600) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise NotSent(type(error).__name__) from None

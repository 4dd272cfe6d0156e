"""The SASL mechanisms of all doors (RFC 4422): PLAIN (RFC 4616), the LOGIN that Outlook still speaks, SCRAM-SHA-256 and -PLUS
(RFC 5802, RFC 7677); OAUTHBEARER (RFC 7628) and XOAUTH2 where the tokens of an OpenID provider are taken; EXTERNAL
(RFC 4422 A) where the client has shown a certificate that is believed.

An exchange is a generator: it yields challenges, is sent responses, and yields at last how it ended. It knows nothing of IMAP and
SMTP. A client that spoke first is not sent the first challenge.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from foundation.dn import DistinguishedName
from mailserver import bearer, scram
from mailserver.bearer import Asked
from mailserver.scram import Bind, Fault
from mailserver.sign_in import Provider, Refused, SignedIn, SignIn, Unnamed

Step = bytes | SignedIn | Refused | Fault  # a challenge, or the end
Exchange = AsyncGenerator[Step, bytes]


@dataclass(frozen=True, slots=True)
class Desk:
    """Where one client signs in. `bind` is its TLS channel's; None: no channel binding on this connection.

    `certificate`: the name in the client's own, judged; None: it showed none, or one that is not believed. `vouched`: asked when
    it is used, whether its authority still stands by it (OCSP); None: that was asked already.
    """

    sign_in: SignIn
    client_ip: str
    bind: Bind | None = None
    certificate: DistinguishedName | None = None
    vouched: Callable[[], Awaitable[bool]] | None = None

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """Announced over TLS, strongest first; only these exist."""
        return tuple(name for name in MECHANISMS if self._offers(name))

    def _offers(self, name: str) -> bool:
        if name == "EXTERNAL":
            return self.certificate is not None
        if name in BEARER:
            return self.sign_in.provider is not None
        return self.bind is not None or not name.endswith("-PLUS")

    def begin(self, mechanism: str) -> Exchange | None:
        name = mechanism.upper()
        return MECHANISMS[name](self) if name in self.mechanisms else None


async def _scram(desk: Desk, plus: bool) -> Exchange:
    first = scram.read_first((yield b""), plus, desk.bind)
    if isinstance(first, Fault):
        yield first
        return
    challenge = scram.challenge(first, await desk.sign_in.salt(first.login), desk.sign_in.nonce())
    proof = scram.read_final((yield challenge.encode()), first, challenge)
    if isinstance(proof, Fault):
        yield proof
        return
    answer = await desk.sign_in.by_proof(first.login, proof, desk.client_ip)
    if isinstance(answer, Refused):
        yield answer
    # Neither IMAP nor SMTP has room for it beside the success (RFC 4422 5): it is a challenge with nothing to answer.
    elif (yield scram.verdict(answer.signature)):
        yield Fault.MALFORMED
    else:
        yield answer.who


async def _plain(desk: Desk) -> Exchange:
    """[authzid] NUL authcid NUL passwd (RFC 4616 2)."""
    fields = [_text(field) for field in (yield b"").split(b"\0")]
    if len(fields) != 3 or None in fields:
        yield Fault.MALFORMED
        return
    acting_for, login, password = (field or "" for field in fields)
    if acting_for not in ("", login):
        yield Fault.ANOTHER
        return
    yield await desk.sign_in.by_password(login, password, desk.client_ip)


async def _login(desk: Desk) -> Exchange:
    login = _text((yield b"Username:"))
    password = _text((yield b"Password:"))
    if login is None or password is None:
        yield Fault.MALFORMED
        return
    yield await desk.sign_in.by_password(login, password, desk.client_ip)


async def _bearer(desk: Desk, read: Callable[[bytes], Asked | Fault], error: Callable[[Provider], bytes]) -> Exchange:
    asked = read((yield b""))
    if isinstance(asked, Fault):
        yield asked
        return
    answer = await desk.sign_in.by_token(asked.login, asked.token, desk.client_ip)
    if not isinstance(answer, SignedIn) and (provider := desk.sign_in.provider) is not None:
        yield error(provider)  # RFC 7628 3.2.3: the client's answer says nothing
    yield Fault.UNNAMED if isinstance(answer, Unnamed) else answer


async def _external(desk: Desk) -> Exchange:
    """The mailbox, or nothing (RFC 4422 A.1)."""
    address = _text((yield b""))
    if address is None or "\0" in address or desk.certificate is None:
        yield Fault.MALFORMED
        return
    if desk.vouched is not None and not await desk.vouched():
        yield Refused()
        return
    yield await desk.sign_in.by_certificate(address, desk.certificate, desk.client_ip)


def decoded(line: bytes) -> bytes | Fault:
    """A response as it is sent: in base64, "=" for an empty first one (RFC 4954 4, RFC 4959 3), "*" to give up."""
    if line == b"*":
        return Fault.CANCELLED
    try:
        return b64decode(b"" if line == b"=" else line, validate=True)
    except binascii.Error:
        return Fault.UNREADABLE


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


MECHANISMS: dict[str, Callable[[Desk], Exchange]] = {
    "SCRAM-SHA-256-PLUS": partial(_scram, plus=True),
    "SCRAM-SHA-256": partial(_scram, plus=False),
    "EXTERNAL": _external,
    "OAUTHBEARER": partial(_bearer, read=bearer.read_oauthbearer, error=bearer.oauthbearer_error),
    "XOAUTH2": partial(_bearer, read=bearer.read_xoauth2, error=bearer.xoauth2_error),
    "PLAIN": _plain,
    "LOGIN": _login,
}
BEARER = ("OAUTHBEARER", "XOAUTH2")

"""What the store keeps of a message beside its octets: the card, the texts that SEARCH looks in, the threading names.

Made once, when the message comes in, from the one MIME pass (`mailserver.mime.scan`).
"""

from __future__ import annotations

from dataclasses import dataclass

from mailserver.store.api import Card


@dataclass(frozen=True, slots=True)
class Digest:
    """`senders` and `receivers` are addresses in lower case, in header order."""

    card: Card
    headers_text: str  # decoded, case-folded
    body_text: str
    message_id: str | None = None
    references: tuple[str, ...] = ()  # In-Reply-To and References (RFC 5322 3.6.4)
    senders: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


def digest_of(content: bytes) -> Digest:
    """Never raises: `scan` takes any octets."""
    from mailserver.mime import scan

    message = scan(content)
    return digest_message(message)


def digest_message(message: object) -> Digest:
    raise NotImplementedError

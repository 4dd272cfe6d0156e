"""What the store keeps of a message beside its octets: the card, the texts that SEARCH looks in, the threading names.

Made once, when the message comes in, from the one MIME pass (`mailserver.mime.scan`).
"""

from __future__ import annotations

from foundation.values import value
from mailserver.mime.message import Message, scan
from mailserver.store.api import Card


@value
class Digest:
    """`senders` and `receivers` are addresses in lower case, in header order."""

    card: Card
    headers_text: str  # decoded, case-folded
    body_text: str
    message_id: str | None = None
    references: tuple[str, ...] = ()  # References, then In-Reply-To (RFC 5322 3.6.4): the nearest last
    senders: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()

    def counterpart(self, own: str) -> str:
        """The other side, seen from the box whose address is `own`: whom it wrote to, else who wrote to it."""
        if own in self.senders:
            return next((address for address in self.receivers if address != own), own)
        return self.senders[0] if self.senders else ""


def digest_of(content: bytes) -> Digest:
    """Never raises: `scan` takes any octets."""
    return digest_message(scan(content))


def digest_message(message: Message) -> Digest:
    return Digest(
        message.card(),
        message.search_headers(),
        message.search_text(),
        message.message_id,
        (*message.references, *message.in_reply_to),
        _addresses(message, b"from"),
        _addresses(message, b"to") + _addresses(message, b"cc"),
    )


def _addresses(message: Message, name: bytes) -> tuple[str, ...]:
    found = message.root.fields.addresses(name)
    raw = [b"%b@%b" % (local, domain) for _, _, local, domain in found if domain and local is not None]
    return tuple(dict.fromkeys([address.decode("utf-8", "replace").lower() for address in raw]))

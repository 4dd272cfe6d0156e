"""A message as delivery needs it: one MIME pass, read before the transaction, in a thread when it is large.

`copies` are the octets to be kept, already encrypted, by whose mailbox they are for: most messages have one for all. A message for
a mailbox of ours and for another operator has two (Return-Path belongs to the first only), a `[FIN]` with content one more (the
citizen's, subject rewritten), as has one whose attachments are warned of in some mailboxes only.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from foundation.blobs import Blobs, PreparedBlob
from foundation.keys import KeyRing
from foundation.values import value
from mailserver.contents.opening import Opened
from mailserver.delivery import headers
from mailserver.delivery.attachments import NO_POLICIES, Addressed, Judged, Policies
from mailserver.mime.fields import MAX_HEADER
from mailserver.mime.message import Message, scan
from mailserver.mime.reports import kind
from mailserver.store.digest import Digest, digest_message
from mailserver.store.insert import Kept, keep
from mssante.address import Address, parse_address
from mssante.closing import Act, Closing, closing_of, is_empty
from mssante.identity import Invalid
from mssante.kinds import BoxKind, ClosedMeans
from mssante.rules import Refused

FROM_ADDRESSES = 10  # RFC 5322 allows several; more is an attack on our patience


@value
class Copy:
    blob: PreparedBlob
    kept: Kept


@value
class Letter:
    """`senders`: addresses of From, then of Sender (« de la part de » in Outlook); the first is who is judged.
    None stands for one that is not an address of the space, and for all beyond the tenth.

    `readable`: False when the header is longer than what is read of it: what stands behind would be judged by nobody.
    """

    digest: Digest
    senders: tuple[Address | None, ...]
    readable: bool
    sender_name: str
    reply_to: Address | None
    reply_to_name: str
    has_attachments: bool
    closing: Closing
    x_mss: dict[str, str]  # for the indicators: values without personal data
    copies: dict[Addressed, Copy]
    made: tuple[PreparedBlob, ...]  # to be discarded when nothing points to them
    judged: Judged  # its attachments
    fault: Refused | None = (
        None  # for all recipients: what the antivirus said, or the table of attachments that are sent
    )
    report: str = ""  # its type, when it tells a program what became of another message (RFC 6522)
    documents: str = ""  # X-MSS-CODECDA, as it came
    product: str = ""  # X-MSS-NIL, as it came
    answers: str = ""  # Message-ID of the message that it answers


def read(
    keys: KeyRing,
    blobs: Blobs,
    content: PreparedBlob,
    private: bytes,
    complete: Callable[[bytes], bytes],
    wanted: Collection[Addressed],
    policies: Policies = NO_POLICIES,
    opened: Opened | None = None,
) -> Letter:
    """`private`: header lines put in front for our mailboxes only; `complete(octets)`: with what everybody must read in it; the
    warnings of `policies` come above that.

    Never refuses: any octets are a letter. Blocks when large: call it in a thread then. Raises `MustOpen`, having made nothing,
    when attachments are to be opened first.
    """
    plain = content.plaintext()
    public = complete(plain)
    first = private if any(kind is not None for kind in wanted) else b""
    message = scan(first + public)
    judged = policies.judge(message, opened)
    closing = _closing(message)
    by_subject = closing.act is Act.DELIVER_THEN_CLOSE and closing.means is ClosedMeans.SUBJECT
    shown = headers.with_subject(public, closing.subject) if by_subject and BoxKind.CIT in wanted else public
    digest = digest_message(message)
    made: dict[tuple[bytes, bool], Copy] = {}

    def copy(kind: Addressed) -> Copy:
        """Mailboxes that get the same octets share them."""
        front = judged.warning(kind) + (b"" if kind is None else private)
        rewritten = kind is BoxKind.CIT and shown is not public
        if (front, rewritten) not in made:
            octets = front + (shown if rewritten else public)
            same = front == first and not rewritten
            blob = content.secure() if octets == plain else blobs.prepare(octets)
            made[front, rewritten] = Copy(blob, keep(keys, digest if same else digest_message(scan(octets)), blob.ref))
        return made[front, rewritten]

    copies = {kind: copy(kind) for kind in wanted}
    return _letter(message, digest, closing, copies, [each.blob for each in made.values()], judged)


def _letter(
    message: Message,
    digest: Digest,
    closing: Closing,
    copies: dict[Addressed, Copy],
    made: list[PreparedBlob],
    judged: Judged,
) -> Letter:
    writers = message.addresses("From")
    senders = [*writers, *message.addresses("Sender")] if writers else []
    answers = message.addresses("Reply-To")[:1]
    return Letter(
        digest=digest,
        senders=(
            *(_address(str(one)) for one in senders[:FROM_ADDRESSES]),
            *((None,) if senders[FROM_ADDRESSES:] else ()),
        ),
        readable=message.root.body <= MAX_HEADER,
        sender_name=writers[0].display if writers else "",
        reply_to=_address(str(answers[0])) if answers else None,
        reply_to_name=answers[0].display if answers else "",
        has_attachments=message.has_attachments,
        closing=closing,
        x_mss=_indicators(message),
        copies=copies,
        made=tuple(made),
        judged=judged,
        fault=judged.sent.refused,
        report=kind(message),
        documents=message.header("X-MSS-CODECDA") or "",
        product=message.header("X-MSS-NIL") or "",
        answers=next(iter(message.in_reply_to), ""),
    )


def _closing(message: Message) -> Closing:
    """Every text of the message is judged, so that an empty plain text never hides an HTML one."""
    subject, wish = message.subject, message.header("X-MSS-MES")
    if "[" not in subject and not wish:
        return Closing(Act.NONE, subject)
    body = next((text for text in message.written_texts() if not is_empty(text)), "")
    picture = message.has_attachments or "data:" in (message.html() or "")
    return closing_of(subject, body, picture, wish)


def _indicators(message: Message) -> dict[str, str]:
    """X-MSS headers for the monthly figures (docs/rules.md section 6); only values of their closed lists."""
    found = {}
    for name, allowed in (("X-MSS-INS", ("O", "N")), ("X-MSS-MES", ("FIN", "NOREPLY"))):
        value = (message.header(name) or "").strip().upper()
        if value:
            found[name] = value if value in allowed else "?"
    for name in ("X-MSS-CODECDA", "X-MSS-NIL"):
        if message.raw_headers(name):
            found[name] = "present"
    return found


def _address(text: str) -> Address | None:
    parsed = parse_address(text)
    return None if isinstance(parsed, Invalid) else parsed

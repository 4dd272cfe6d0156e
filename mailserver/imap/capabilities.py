"""What the server announces (RFC 3501 7.2.1). Nothing is obeyed that is not announced."""

from __future__ import annotations

from mailserver.imap.context import Context, State

ALWAYS = ("IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE")
IN_CLEAR = ("STARTTLS", "LOGINDISABLED")
# One a line, with its clause: a line here is a promise that the whole of it is kept.
SIGNED_IN = (
    "IDLE",  # RFC 2177
    "NOTIFY",  # RFC 5465
    "CHILDREN",  # RFC 3348
    "LIST-EXTENDED",  # RFC 5258
    "LIST-STATUS",  # RFC 5819
    "STATUS=SIZE",  # RFC 8438
    "NAMESPACE",  # RFC 2342
    "UNSELECT",  # RFC 3691
    "COMPRESS=DEFLATE",  # RFC 4978
    "UIDPLUS",  # RFC 4315
    "SPECIAL-USE",  # RFC 6154
    "CREATE-SPECIAL-USE",  # RFC 6154 3
    "XLIST",  # Gmail's, before RFC 6154: Outlook 2013 and 2016 find the sent mail and the trash by it, where it is announced
    "METADATA",  # RFC 5464
    "LIST-METADATA",  # RFC 9590
    "ACL",  # RFC 4314
    "RIGHTS=kxte",  # RFC 4314 5.1.1: those that RFC 2086 had not
    "LIST-MYRIGHTS",  # RFC 8440
    "QUOTA",  # RFC 9208
    "QUOTA=RES-STORAGE",  # RFC 9208 5.1
    "MOVE",  # RFC 6851
    "BINARY",  # RFC 3516
    "MULTIAPPEND",  # RFC 3502
    "CATENATE",  # RFC 4469
    "REPLACE",  # RFC 8508
    "UTF8=ACCEPT",  # RFC 9755
    "SORT",  # RFC 5256 3
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",  # draft-ietf-morg-inthread: by the newest message
    "SORT=DISPLAY",  # RFC 5957
    "ESORT",  # RFC 5267 3
    "CONTEXT=SEARCH",  # RFC 5267 4
    "CONTEXT=SORT",
    "ESEARCH",  # RFC 4731
    "MULTISEARCH",  # RFC 7377
    "WITHIN",  # RFC 5032
    "SEARCHRES",  # RFC 5182
    "PARTIAL",  # RFC 9394
    "CONDSTORE",  # RFC 7162 3.1
    "QRESYNC",  # RFC 7162 3.2
    "OBJECTID",  # RFC 8474
    "SAVEDATE",  # RFC 8514
    "PREVIEW",  # RFC 8970
    "UNAUTHENTICATE",  # RFC 8437
    "INPROGRESS",  # RFC 9585
    "UIDONLY",  # RFC 9586
)

# RFC 5161 4: where it is announced, only this changes the server's behaviour; with the `Modes` that each turns on.
ENABLEABLE = {
    "CONDSTORE": ("condstore",),
    "QRESYNC": ("qresync", "condstore"),  # RFC 7162 3.2.3
    "IMAP4rev2": ("rev2", "utf8"),
    "UTF8=ACCEPT": ("utf8", "no_charset"),
    "UIDONLY": ("uid_only",),  # RFC 9586 3
}


def capabilities(ctx: Context) -> tuple[str, ...]:
    always: tuple[str, ...] = (*ALWAYS, f"APPENDLIMIT={ctx.settings.append_limit}")  # RFC 7889
    if ctx.settings.holder_quota:
        always += ("QUOTASET",)  # RFC 9208 3.1.4
    if ctx.state is not State.NOT_AUTHENTICATED:
        return always + SIGNED_IN
    to_sign_in = tuple(f"AUTH={name}" for name in ctx.desk.mechanisms) if ctx.tls else IN_CLEAR
    # Thunderbird decides on IDLE or CONDSTORE before sign-in when it can: the whole list does no harm there.
    return always + to_sign_in + SIGNED_IN


def capability_code(ctx: Context) -> str:
    """For the greeting and the OK of sign-in: some clients read them there only (K-9 2431)."""
    return "CAPABILITY " + " ".join(capabilities(ctx))

"""The server's side of IMAP's formal syntax (RFC 9051 9, RFC 3501 9, extensions), as strictly as the strictest client reads it.

`read` takes all that one connection was told and raises `Unlawful` where no rule of the grammar fits. Written from the rules, and
with nothing of the server's: what both had wrong would show nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable

ATOM = rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]+'
ASTRING = rb'[^\x00-\x20\x7f-\xff(){%*"\\]+'
FLAG = rb"\\?" + ATOM
NUMBER, ABOVE_ZERO = rb"\d+", rb"[1-9]\d*"
SET = rb"[1-9]\d*(?::[1-9]\d*)?(?:,[1-9]\d*(?::[1-9]\d*)?)*"
DATE_TIME = rb'"[ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4}"'
OBJECT = rb"[A-Za-z0-9_-]{1,255}"
UTF8 = rb"(?:[\x01-\x09\x0b\x0c\x0e-\x7f]|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})+"
THREAD = rb"(?:\((?:[1-9]\d*|[ ()])+\))+"

# Response codes without anything behind their name.
BARE_CODES = frozenset(
    b"ALERT ALREADYEXISTS AUTHENTICATIONFAILED AUTHORIZATIONFAILED CANNOT CLOSED COMPRESSIONACTIVE EXPUNGEISSUED LIMIT NONEXISTENT"
    b" NOPERM NOTIFICATIONOVERFLOW OVERQUOTA PRIVACYREQUIRED READ-ONLY READ-WRITE SERVERBUG TOOBIG TRYCREATE UIDREQUIRED"
    b" UNAVAILABLE UNKNOWN-CTE USEATTR".split()
)
CODES = {
    b"APPENDUID": ABOVE_ZERO + rb" " + SET,
    b"BADCHARSET": rb"\(" + ASTRING + rb"(?: " + ASTRING + rb")*\)",
    b"BADEVENT": rb"\(" + ATOM + rb"(?: " + ATOM + rb")*\)",
    b"BADURL": rb"[^\]\r\n\x00]+",
    b"CAPABILITY": ATOM + rb"(?: " + ATOM + rb")*",
    b"COPYUID": ABOVE_ZERO + rb" " + SET + rb" " + SET,
    b"HIGHESTMODSEQ": ABOVE_ZERO,
    b"INPROGRESS": rb'\("' + ATOM + rb'" (?:NIL|\d+) (?:NIL|\d+)\)',
    b"MAILBOXID": rb"\(" + OBJECT + rb"\)",
    b"METADATA": rb"(?:LONGENTRIES|MAXSIZE) \d+|TOOMANY|NOPRIVATE",
    b"MODIFIED": SET,
    b"NOUPDATE": rb'"[^"\\\r\n]*"',
    b"PERMANENTFLAGS": rb"\((?:(?:" + FLAG + rb"|\\\*)(?: (?:" + FLAG + rb"|\\\*))*)?\)",
    b"UIDNEXT": ABOVE_ZERO,
    b"UIDVALIDITY": ABOVE_ZERO,
    b"UNSEEN": ABOVE_ZERO,
}
STATUS_ITEMS = {
    b"UIDNEXT": ABOVE_ZERO,
    b"UIDVALIDITY": ABOVE_ZERO,
    b"MAILBOXID": rb"\(" + OBJECT + rb"\)",
}  # others: a number
ESEARCH_ITEMS = {
    b"MIN": ABOVE_ZERO,
    b"MAX": ABOVE_ZERO,
    b"COUNT": NUMBER,
    b"ALL": SET,
    b"MODSEQ": ABOVE_ZERO,
    b"PARTIAL": rb"\(-?[1-9]\d*:-?[1-9]\d* (?:NIL|" + SET + rb")\)",
    b"ADDTO": rb"\(\d+ " + SET + rb"(?: \d+ " + SET + rb")*\)",
    b"REMOVEFROM": rb"\(\d+ " + SET + rb"(?: \d+ " + SET + rb")*\)",
}


class Unlawful(Exception):
    """What was told fits no rule."""


def read(told: bytes) -> None:
    reader = Reader(told)
    while reader.at < len(told):
        reader.response()


class Reader:
    def __init__(self, told: bytes) -> None:
        self.told = told
        self.at = 0
        self.utf8 = False  # once enabled: in quoted strings too (RFC 9051 4.3, RFC 9755 3)

    # ---------------------------------------------------------------- words
    def fail(self, what: str) -> Unlawful:
        return Unlawful(
            f"{what} expected: {self.told[max(0, self.at - 60) : self.at]!r} >>> {self.told[self.at : self.at + 60]!r}"
        )

    def take(self, pattern: bytes, what: str = "") -> bytes:
        found = re.compile(pattern, re.DOTALL).match(self.told, self.at)
        if found is None:
            raise self.fail(what or repr(pattern))
        self.at = found.end()
        return found[0]

    def has(self, text: bytes) -> bool:
        return self.told.startswith(text, self.at)

    def skip(self, text: bytes) -> bool:
        if not self.has(text):
            return False
        self.at += len(text)
        return True

    def words(self, one: Callable[[], object], least: int = 0) -> None:
        """`(` one *(SP one) `)`."""
        self.take(rb"\(")
        count = 0
        while not self.skip(b")"):
            if count:
                self.take(b" ")
            one()
            count += 1
        if count < least:
            raise self.fail(f"{least} at least")

    # ---------------------------------------------------------------- strings
    def literal(self, eight: bool = False) -> None:
        """A literal8 may hold NUL, others may not (RFC 9051 4.3)."""
        head = self.take(rb"(?:~?\{\d+\}|\{\d+\})\r\n" if eight else rb"\{\d+\}\r\n", "literal")
        octets = self.told[self.at : self.at + int(re.sub(rb"\D", b"", head))]
        if b"\0" in octets and not head.startswith(b"~"):
            raise self.fail("no NUL")
        self.at += int(re.sub(rb"\D", b"", head))
        if self.at > len(self.told):
            raise self.fail("all octets of the literal")

    def string(self) -> None:
        if self.has(b'"'):
            inside = UTF8 if self.utf8 else rb"[\x01-\x09\x0b\x0c\x0e-\x7f]+"
            text = self.take(rb'"(?:[^"\\\r\n\x00]|\\["\\])*"', "quoted string")
            if len(text) > 2 and not re.fullmatch(inside, text):
                raise self.fail("quoted string of the character set")
        else:
            self.literal()

    def nstring(self) -> None:
        if not self.skip(b"NIL"):
            self.string()

    def astring(self) -> None:
        if self.has(b'"') or self.has(b"{"):
            self.string()
        else:
            self.take(ASTRING, "astring")

    mailbox = astring

    # ---------------------------------------------------------------- responses
    def response(self) -> None:
        if self.skip(b"+ "):
            self.take(rb"[^\r\n\x00\x80-\xff]*\r\n", "text or base64")
        elif self.skip(b"* "):
            if self.told[self.at : self.at + 1].isdigit():
                self.of_a_message()
            else:
                self.untagged()
        else:
            self.take(ASTRING + b" (?:OK|NO|BAD) ", "tag and status")
            self.status_text()

    def status_text(self) -> None:
        if self.skip(b"["):
            code = self.take(ATOM, "response code")
            if code in CODES:
                self.take(
                    b" " + CODES[code] if code != b"METADATA" else b" (?:" + CODES[code] + b")", f"value of {code!r}"
                )
            elif code not in BARE_CODES:
                raise self.fail("known response code")
            self.take(rb"\] ")
        if self.take(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]+\r\n", "text").startswith(b"signed out"):
            self.utf8 = False

    def untagged(self) -> None:
        word = self.take(rb"[A-Z]+", "name of a response")
        if word in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
            self.take(b" ")
            self.status_text()
            return
        readers: dict[bytes, Callable[[], object]] = {
            b"CAPABILITY": lambda: self.take(rb"(?: " + ATOM + rb")+"),
            b"ENABLED": self.enabled,
            b"ID": self.identity,
            b"NAMESPACE": self.namespaces,
            b"LIST": self.listed,
            b"LSUB": self.listed,
            b"XLIST": self.listed,
            b"STATUS": self.status,
            b"METADATA": self.metadata,
            b"QUOTAROOT": self.quota_root,
            b"QUOTA": self.quota,
            b"ACL": self.acl,
            b"LISTRIGHTS": self.list_rights,
            b"MYRIGHTS": lambda: self.named(self.astring),
            b"FLAGS": lambda: self.take(rb" \(" + FLAG + rb"(?: " + FLAG + rb")*\)"),
            b"SEARCH": lambda: self.take(rb"(?: [1-9]\d*)*(?: \(MODSEQ [1-9]\d*\))?"),
            b"SORT": lambda: self.take(rb"(?: [1-9]\d*)*(?: \(MODSEQ [1-9]\d*\))?"),
            b"THREAD": lambda: self.skip(b" ") and self.take(THREAD),
            b"ESEARCH": self.esearch,
            b"VANISHED": lambda: self.take(rb" (?:\(EARLIER\) )?" + SET),
        }
        if word not in readers:
            raise self.fail("known response")
        readers[word]()
        self.take(b"\r\n", "end of the line")

    def enabled(self) -> None:
        names = self.take(rb"(?: " + ATOM + rb")*").split()
        self.utf8 |= b"IMAP4rev2" in names or b"UTF8=ACCEPT" in names

    def identity(self) -> None:
        self.take(b" ")

        def field() -> None:
            self.string()
            self.take(b" ")
            self.nstring()

        if not self.skip(b"NIL"):
            self.words(field)

    def namespaces(self) -> None:
        for _ in range(3):
            self.namespace()

    def namespace(self) -> None:
        self.take(b" ")
        if self.skip(b"NIL"):
            return
        self.take(rb"\(")
        while not self.skip(b")"):
            self.take(rb"\(")
            self.string()
            self.take(rb' (?:"[^"\\]"|NIL)\)')

    def named(self, then: Callable[[], object]) -> None:
        self.take(b" ")
        self.mailbox()
        self.take(b" ")
        then()

    def listed(self) -> None:
        self.take(rb" \((?:\\" + ATOM + rb"(?: \\" + ATOM + rb")*)?\) (?:\"[^\"\\]\"|NIL) ", "attributes and separator")
        self.mailbox()
        if self.skip(b" "):
            self.words(self.extended, 1)

    def extended(self) -> None:
        self.astring()
        self.take(b" ")
        self.words(self.astring, 1)

    def status(self) -> None:
        def item() -> None:
            name = self.take(ATOM)
            self.take(b" " + STATUS_ITEMS.get(name, NUMBER))

        self.named(lambda: self.words(item, 1))

    def metadata(self) -> None:
        def value() -> None:
            self.astring()
            self.take(b" ")
            if self.has(b"~"):
                self.literal(eight=True)
            else:
                self.nstring()

        def values() -> None:
            if self.has(b"("):
                self.words(value, 1)
                return
            self.astring()
            while self.skip(b" "):
                self.astring()

        self.named(values)

    def quota_root(self) -> None:
        self.take(b" ")
        self.mailbox()
        while self.skip(b" "):
            self.astring()

    def quota(self) -> None:
        self.named(lambda: self.words(lambda: self.take(ATOM + rb" \d+ \d+")))

    def acl(self) -> None:
        self.take(b" ")
        self.mailbox()
        while self.skip(b" "):
            self.astring()
            self.take(b" ")
            self.astring()

    def list_rights(self) -> None:
        self.named(self.astring)
        self.take(b" ")
        self.astring()
        while self.skip(b" "):
            self.astring()

    def esearch(self) -> None:
        if self.skip(b' (TAG "'):
            self.take(ATOM + b'"')
            if self.skip(b" MAILBOX "):
                self.mailbox()
                self.take(rb" UIDVALIDITY [1-9]\d*")
            self.take(rb"\)")
        self.skip(b" UID")
        while self.skip(b" "):
            name = self.take(ATOM)
            if name not in ESEARCH_ITEMS:
                raise self.fail("known item")
            self.take(b" " + ESEARCH_ITEMS[name])

    # ---------------------------------------------------------------- of a message
    def of_a_message(self) -> None:
        number = self.take(NUMBER)
        self.take(b" ")
        if not self.skip(b"EXISTS") and not self.skip(b"RECENT"):
            if not int(number):
                raise self.fail("number above zero")
            if not self.skip(b"EXPUNGE"):
                self.take(b"FETCH |UIDFETCH ", "FETCH")
                told: list[bytes] = []
                self.words(lambda: told.append(self.item()), 1)
                if len(told) != len(set(told)):
                    raise self.fail("each item once")
        self.take(b"\r\n", "end of the line")

    def item(self) -> bytes:
        if self.told.startswith((b"BODY[", b"BINARY[", b"BINARY.SIZE["), self.at):
            name = self.take(rb"[A-Z.]+\[") + self.section()
        else:
            name = self.take(rb"[A-Z0-9.]+", "item of FETCH")
        readers: dict[bytes, Callable[[], object]] = {
            b"FLAGS": lambda: self.words(lambda: self.take(FLAG)),
            b"UID": lambda: self.take(ABOVE_ZERO),
            b"RFC822.SIZE": lambda: self.take(NUMBER),
            b"MODSEQ": lambda: self.take(rb"\([1-9]\d*\)"),
            b"INTERNALDATE": lambda: self.take(DATE_TIME),
            b"SAVEDATE": lambda: self.take(b"NIL|" + DATE_TIME),
            b"EMAILID": lambda: self.take(rb"\(" + OBJECT + rb"\)"),
            b"THREADID": lambda: self.take(rb"\(" + OBJECT + rb"\)|NIL"),
            b"ENVELOPE": self.envelope,
            b"BODY": lambda: self.body(extended=False),
            b"BODYSTRUCTURE": lambda: self.body(extended=True),
            b"PREVIEW": self.nstring,
            b"RFC822": self.nstring,
            b"RFC822.HEADER": self.nstring,
            b"RFC822.TEXT": self.nstring,
        }
        self.take(b" ")
        if name.startswith(b"BODY["):
            self.nstring()
        elif name.startswith(b"BINARY["):
            if self.has(b"~"):
                self.literal(eight=True)
            else:
                self.nstring()
        elif name.startswith(b"BINARY.SIZE["):
            self.take(NUMBER, "size")
        elif name in readers:
            readers[name]()
        else:
            raise self.fail("known item of FETCH")
        return name

    def section(self) -> bytes:
        start = self.at
        self.take(rb"(?:[1-9]\d*(?:\.[1-9]\d*)*)?\.?(?:HEADER(?:\.FIELDS(?:\.NOT)?)?|TEXT|MIME)?")
        if self.skip(b" "):
            self.words(self.astring, 1)
        self.take(rb"\](?:<\d+>)?")
        return self.told[start : self.at]

    def envelope(self) -> None:
        self.take(rb"\(")
        self.nstring()
        self.take(b" ")
        self.nstring()
        for _ in range(6):
            self.take(b" ")
            self.addresses()
        for _ in range(2):
            self.take(b" ")
            self.nstring()
        self.take(rb"\)")

    def addresses(self) -> None:
        if self.skip(b"NIL"):
            return
        self.take(rb"\((?=\()", "an address")
        while not self.skip(b")"):
            self.take(rb"\(")
            for place in range(4):
                self.take(b" " if place else b"")
                self.nstring()
            self.take(rb"\)")

    def parameters(self) -> None:
        def pair() -> None:
            self.string()
            self.take(b" ")
            self.string()

        if not self.skip(b"NIL"):
            self.words(pair, 1)

    def disposition(self) -> None:
        if not self.skip(b"NIL"):
            self.take(rb"\(")
            self.string()
            self.take(b" ")
            self.parameters()
            self.take(rb"\)")

    def languages(self) -> None:
        if self.has(b"("):
            self.words(self.string, 1)
        else:
            self.nstring()

    def body(self, extended: bool) -> None:
        """`extended`: with the extension data, which BODY must not have (RFC 9051 7.5.2)."""
        self.take(rb"\(")
        if self.has(b"("):
            while self.has(b"("):
                self.body(extended)
            tail: list[Callable[[], object]] = [
                self.string,
                *[self.parameters, self.disposition, self.languages, self.nstring] * extended,
            ]
        else:
            tail = self.one_part(extended)
        for one in tail:
            self.take(b" ")
            one()
        self.take(rb"\)")

    def one_part(self, extended: bool) -> list[Callable[[], object]]:
        """What stands behind the type, which is read."""
        start = self.at
        self.string()
        self.take(b" ")
        self.string()
        kind = self.told[start : self.at].lower()

        def number() -> bytes:
            return self.take(NUMBER)

        tail: list[Callable[[], object]] = [self.parameters, self.nstring, self.nstring, self.string, number]
        if kind in (b'"message" "rfc822"', b'"message" "global"'):
            tail += [self.envelope, lambda: self.body(extended), number]
        elif kind.startswith(b'"text" '):
            tail.append(number)
        return [*tail, *[self.nstring, self.disposition, self.languages, self.nstring] * extended]

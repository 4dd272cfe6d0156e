"""Arguments of MAIL, RCPT and BDAT: text in, values or the reply to send out (RFC 5321 4.1.2; extensions: beside their readers).

An address of the ordinary kind takes one regular expression; any other goes to aiosmtpd's own reading (source routes, quoted
local parts); `mssante.address` checks both. Pure: no session, no look-up.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from foundation.values import value
from mailserver.delivery.api import Recipient, Terms
from mailserver.smtp import replies
from mailserver.smtp.replies import Reply
from mssante.address import in_ascii, parse_address
from mssante.identity import Invalid

OddPath = Callable[[str], tuple[str | None, str | None]]  # aiosmtpd's _getaddr: (address, what follows)
Offered = Callable[[str], bool]  # is this parameter one of an extension that was announced


NO_TERMS = Terms()


@value
class MailCommand:
    reverse_path: str  # "" is the null reverse path
    size: int = 0  # octets announced (RFC 1870 4), 0 when not
    smtp_utf8: bool = False
    binary: bool = False  # BODY=BINARYMIME (RFC 3030 3)
    ret: str | None = None
    envid: str | None = None
    terms: Terms = NO_TERMS


def parse_mail(argument: str, odd_path: OddPath, offered: Offered, now: int) -> MailCommand | Reply:
    """`argument` follows "MAIL " and is `FROM:<path> parameters`; `now` in ms."""
    split = _split(argument, "FROM:", odd_path)
    if isinstance(split, Reply):
        return split
    path, rest = split
    values = _parameters(rest, MAIL_PARAMETERS, offered)
    if isinstance(values, Reply):
        return values
    utf8 = "SMTPUTF8" in values
    if path and (fault := _address_fault(path, utf8)):
        return fault
    if not values:
        return MailCommand(path)
    if "HOLDFOR" in values and "HOLDUNTIL" in values:
        return replies.BAD_ARGUMENT  # RFC 4865 4.2
    return MailCommand(
        reverse_path=path,
        size=int(values.get("SIZE", "0")),
        smtp_utf8=utf8,
        binary=values.get("BODY") == "BINARYMIME",
        ret=values.get("RET"),
        envid=values.get("ENVID"),
        terms=_terms(values, now),
    )


def _terms(values: dict[str, str], now: int) -> Terms:
    seconds, _, mode = values.get("BY", "").partition(";")
    hold_until, hold = _hold(values, now)
    return Terms(
        require_tls="REQUIRETLS" in values,
        priority=int(values.get("MT-PRIORITY", "0")),
        deadline=now + int(seconds) * 1000 if seconds else 0,
        returns="R" in mode,
        traced="T" in mode,
        hold_until=hold_until,
        hold=hold,
    )


def _hold(values: dict[str, str], now: int) -> tuple[int, str]:
    """The hour in ms, and the wish as a report repeats it (RFC 4865 5.1.2)."""
    if span := values.get("HOLDFOR"):
        return now + int(span) * 1000, f"for;{span}"
    if moment := values.get("HOLDUNTIL"):
        return int(datetime.fromisoformat(moment).timestamp() * 1000), f"until;{moment}"
    return 0, ""


def parse_rcpt(argument: str, smtp_utf8: bool, odd_path: OddPath, aliases: Mapping[str, str]) -> Recipient | Reply:
    """`argument` follows "RCPT " and is `TO:<path> parameters`; `aliases`: whom `<Postmaster>` means (RFC 5321 4.1.1.3)."""
    split = _split(argument, "TO:", odd_path)
    if isinstance(split, Reply):
        return split
    path, rest = split
    values = _parameters(rest, RCPT_PARAMETERS, _always)
    if isinstance(values, Reply):
        return values
    path = aliases.get(path.lower(), path)
    if not path:
        return replies.BAD_ADDRESS
    if fault := _address_fault(path, smtp_utf8):
        return fault
    notify = values.get("NOTIFY")
    return Recipient(path, frozenset(notify.split(",")) if notify else frozenset(), values.get("ORCPT"))


_CHUNK = re.compile(r"([0-9]{1,20})( +LAST)? *", re.IGNORECASE)


def parse_bdat(argument: str) -> tuple[int, bool] | None:
    """Octets of the chunk, and whether it is the last (RFC 3030 2); None when that cannot be known."""
    found = _CHUNK.fullmatch(argument)
    return None if found is None else (int(found[1]), found[2] is not None)


_PLAIN_PATH = re.compile(r" ?<([A-Za-z0-9_+=.-]*@[A-Za-z0-9.-]+|)>(?: (.*))?\Z", re.DOTALL)


def _split(argument: str, keyword: str, odd_path: OddPath) -> tuple[str, str] | Reply:
    """Path without its brackets, and the parameters' text."""
    if argument[: len(keyword)].upper() != keyword:
        return replies.BAD_ARGUMENT
    text = argument[len(keyword) :]
    if plain := _PLAIN_PATH.match(text):
        return plain[1], plain[2] or ""
    text = text.lstrip(" ")
    if not text.startswith("<"):
        return replies.BAD_ARGUMENT
    try:
        path, rest = odd_path(text)
    except Exception:  # the standard library's parser stumbles in many ways over what is none: "<", "<a@[>", "<@[ "
        return replies.BAD_ADDRESS
    if (
        path is None or rest is None or f"{path}>" not in text
    ):  # the library repairs what RFC 5321 refuses: "<a b@c>", no ">"
        return replies.BAD_ADDRESS
    parameters = rest.strip(" ")
    if parameters and not text.rstrip(" ").removesuffix(parameters).endswith(" "):
        return replies.BAD_ARGUMENT  # RFC 5321 4.1.1.2: a space before them
    return path, parameters


def _address_fault(path: str, smtp_utf8: bool) -> Reply | None:
    if not path.isascii() and not smtp_utf8:
        return replies.NEEDS_SMTPUTF8
    return replies.BAD_ADDRESS if isinstance(parse_address(path), Invalid) else None


# ---------------------------------------------------------------- parameters
Reader = Callable[[str | None], str | None]  # the value to keep, or None when it is not well formed


def _parameters(text: str, known: Mapping[str, Reader], offered: Offered) -> dict[str, str] | Reply:
    """`KEY=value` pairs (RFC 5321 4.1.2 Mail-parameters), each key once."""
    values: dict[str, str] = {}
    for piece in text.split(" ") if text else ():
        if not piece:
            continue
        key, equals, value = piece.partition("=")
        key = key.upper()
        read = known.get(key)
        if read is None or not offered(key):
            return replies.UNKNOWN_PARAMETER
        kept = read(value if equals else None)
        if kept is None or key in values:
            return replies.BAD_ARGUMENT
        values[key] = kept
    return values


def _always(_: str) -> bool:
    return True


def _one_of(*words: str) -> Reader:
    return lambda value: value.upper() if value and value.upper() in words else None


def _size(value: str | None) -> str | None:
    return value if value and re.fullmatch("[0-9]{1,20}", value) else None  # RFC 1870 3


def _flag(value: str | None) -> str | None:
    return "" if value is None else None


def _notify(value: str | None) -> str | None:
    """RFC 3461 4.1: NEVER alone, or a list of the others."""
    words = value.upper().split(",") if value else []
    lawful = words == ["NEVER"] or (words and set(words) <= {"SUCCESS", "FAILURE", "DELAY"})
    return ",".join(words) if lawful else None


def _orcpt(value: str | None) -> str | None:
    """RFC 3461 4.2: `type;xtext`, kept decoded; at most 500 characters. An address of type utf-8 may stand there as it is: it is
    kept in ASCII, as it goes on (RFC 6533 3)."""
    kind, semicolon, coded = (value or "").partition(";")
    if kind.lower() == "utf-8" and not coded.isascii():
        address = in_ascii(coded) if len(coded) <= 500 and _UNITEXT.fullmatch(coded) else None
    else:
        address = _xtext(coded, 500)
    return f"{kind};{address}" if semicolon and re.fullmatch("[A-Za-z0-9-]+", kind) and address else None


def _envid(value: str | None) -> str | None:
    return _xtext(value or "", 100) or None  # RFC 3461 4.4


def _auth(value: str | None) -> str | None:
    """RFC 4954 5: read and not used; we vouch only for whom we saw sign in."""
    return "" if value and _xtext(value, 500) else None


def _priority(value: str | None) -> str | None:
    return value if value and re.fullmatch("-?[1-9]|0", value) else None  # RFC 6710 7


_BY = re.compile("([+-]?[0-9]{1,9});([NR])(T?)")


def _by(value: str | None) -> str | None:
    """RFC 2852 4: seconds, "Notify" or "Return", "Trace"; a time that is past cannot be met, only told."""
    found = _BY.fullmatch(value.upper() if value else "")
    return found[0] if found and (found[2] == "N" or int(found[1]) > 0) else None


def _hold_for(value: str | None) -> str | None:
    return value if value and re.fullmatch("[1-9][0-9]{0,8}", value) else None  # RFC 4865 3


_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-]00:00)")


def _hold_until(value: str | None) -> str | None:
    """RFC 4865 3: date-time of RFC 3339 5.6, in UTC."""
    moment = value.upper() if value else ""
    try:
        return moment if _MOMENT.fullmatch(moment) and datetime.fromisoformat(moment) else None
    except ValueError:
        return None


# utf-8-addr-unitext (RFC 6533 3): "+", "=", a backslash or a space only as `\x{...}`.
_UNITEXT = re.compile(r"(?:[!-*,-<>-\[\]-~\u0080-\U0010ffff]|\\x\{[0-9A-F]{2,6}\})+")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")
_HEX = re.compile(r"\+([0-9A-F]{2})")


def _xtext(coded: str, longest: int) -> str | None:
    """RFC 3461 4, decoded; None when malformed, too long, or hiding a control character (it would end a line of the DSN)."""
    if len(coded) > longest or not _XTEXT.fullmatch(coded):
        return None
    text = _HEX.sub(lambda pair: chr(int(pair[1], 16)), coded)
    return text if all(" " <= character <= "~" for character in text) else None


MAIL_PARAMETERS: Mapping[str, Reader] = MappingProxyType(
    {
        "SIZE": _size,  # RFC 1870 3
        "BODY": _one_of("7BIT", "8BITMIME", "BINARYMIME"),  # RFC 6152 2, RFC 3030 3
        "SMTPUTF8": _flag,  # RFC 6531 3.4
        "RET": _one_of("FULL", "HDRS"),  # RFC 3461 4.3
        "ENVID": _envid,
        "AUTH": _auth,
        "REQUIRETLS": _flag,  # RFC 8689 2
        "MT-PRIORITY": _priority,
        "BY": _by,
        "HOLDFOR": _hold_for,
        "HOLDUNTIL": _hold_until,
    }
)
RCPT_PARAMETERS: Mapping[str, Reader] = MappingProxyType({"NOTIFY": _notify, "ORCPT": _orcpt})

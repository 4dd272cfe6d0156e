"""The keys of `[dkim]`: ours, which sign what leaves, with the DNS records that publish them; and where those of others are."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from pathlib import Path

from foundation.clock import Clock, system_clock
from mailserver.outbound.dkim import BadKey, Key
from mailserver.signatures.records import DnsRecords, Records
from mailserver.signatures.zone import KnownRecords, read_zone
from runtime.settings import Dkim

TXT_STRING = 255  # octets of one string of a TXT record (RFC 1035 3.3.14)


def key_files(dkim: Dkim) -> list[tuple[str, str, Path]]:
    """(kind, selector, file) of each key that is set; RSA first: some verifiers look at the first signature alone."""
    both = (("rsa", dkim.rsa_selector, dkim.rsa_key), ("ed25519", dkim.ed25519_selector, dkim.ed25519_key))
    return [(kind, selector, path) for kind, selector, path in both if path is not None]


def read_key(kind: str, selector: str, path: Path) -> Key:
    """Raises `BadKey` for a file that holds no such key, OSError for one that cannot be read."""
    key = Key.read(selector, path.read_bytes())
    if key.kind != kind:
        raise BadKey(f"an {key.kind} key, where {kind} is asked for")
    return key


def signing_keys(dkim: Dkim) -> list[Key]:
    return [read_key(*one) for one in key_files(dkim)]


def txt_records(domains: Iterable[str], keys: Iterable[Key]) -> Iterable[str]:
    """Zone file lines for the keys of each domain (RFC 6376 3.6.2.1)."""
    for domain, key in product(sorted(domains), keys):
        text = key.record
        strings = " ".join(f'"{text[at : at + TXT_STRING]}"' for at in range(0, len(text), TXT_STRING))
        yield f"{key.selector}._domainkey.{domain}. 3600 IN TXT {strings}"


def records_of(dkim: Dkim, clock: Clock = system_clock) -> Records:
    """Where the keys of others are looked for; raises `BadZone`, OSError."""
    others = DnsRecords(clock=clock)
    return KnownRecords(read_zone(dkim.records.read_text()), others) if dkim.records else others

"""The list in use: replaced whole or not at all, kept on disk, followed by other processes, stale after a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from certs.authority import Authority, Issued, KeyKind
from certs.crl import from_x509
from certs.profiles import LIST_SIGNER, organisation_subject
from certs.trust_store import TrustStore
from foundation.clock import DAY, HOUR, MINUTE
from foundation.dn import parse
from mssante.signed_xml import XmlFault
from mssante.trust_holder import Accepted, TrustListHolder
from mssante.trust_list import Entry, ListFault, ListRefused, Signer, TrustList, sign_list

NOW = 1_795_000_000_000
A, B = "CN=a.example,C=FR", "CN=b.example,C=FR"


class Fixed:
    """An authority whose signer ends one hour after NOW."""

    def __init__(self) -> None:
        self.authority = Authority.create(NOW - 10 * DAY, KeyKind.RSA)
        subject = organisation_subject("alb.mssante.fr", "1", "AGENCE", "Paris (75)")
        self.signer: Issued = self.authority.issue(
            LIST_SIGNER, subject, NOW, start=NOW - 9 * DAY, end=NOW + HOUR, kind=KeyKind.RSA
        )
        store = TrustStore((self.authority.root.certificate,), from_x509(self.authority.crls(NOW)))
        self.rule = Signer(store.signer_judge())

    def list(self, at: int, **domains: str) -> bytes:
        entries = [Entry(f"{name}.example", dn) for name, dn in domains.items()]
        return sign_list(entries, self.signer.key, self.signer.certificate, at, self.signer.chain)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def fixed() -> Fixed:
    return Fixed()


@pytest.fixture
def holder(fixed: Fixed, tmp_path: Path) -> TrustListHolder:
    return TrustListHolder(tmp_path / "list.xml", fixed.rule)


def accepted(found: Accepted | ListRefused) -> Accepted:
    assert isinstance(found, Accepted), found
    return found


def test_nothing_yet(holder: TrustListHolder) -> None:
    assert holder.load() is None
    assert holder.current is None
    assert holder.stale(NOW)
    assert not holder.follow()


def test_each_list_replaces_the_one_before_and_says_what_changed(fixed: Fixed, holder: TrustListHolder) -> None:
    first = accepted(holder.offer(fixed.list(NOW - HOUR, un=A, deux=A), NOW))
    assert first.diff.added == {"un.example", "deux.example"}
    second = accepted(holder.offer(fixed.list(NOW, un=B, trois=A), NOW))
    assert second.diff.added == {"trois.example"}
    assert second.diff.removed == {"deux.example"}
    assert second.diff.changed == {"un.example"}
    assert holder.current is not None
    assert holder.current.allows("un.example", parse(B))
    assert not holder.current.has("deux.example")


def test_refused_lists_change_nothing(fixed: Fixed, holder: TrustListHolder, tmp_path: Path) -> None:
    accepted(holder.offer(fixed.list(NOW, un=A), NOW))
    before, bytes_before = holder.current, (tmp_path / "list.xml").read_bytes()
    for data, fault in (
        (b"", XmlFault.MALFORMED),
        (fixed.list(NOW + MINUTE, un=B)[:-5], XmlFault.MALFORMED),
        (fixed.list(NOW - MINUTE, un=B), ListFault.NOT_NEWER),
        (fixed.list(NOW, un=B), ListFault.NOT_NEWER),
        (fixed.list(NOW + 2 * HOUR, un=B), ListFault.FUTURE),
        (Fixed().list(NOW + MINUTE, un=B), ListFault.SIGNER_CHAIN),
    ):
        found = holder.offer(data, NOW)
        assert isinstance(found, ListRefused)
        assert found.fault is fault
        assert holder.current is before
        assert (tmp_path / "list.xml").read_bytes() == bytes_before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.xml"], "no partial file stays"


def test_staleness_counts_from_the_last_good_fetch(fixed: Fixed, holder: TrustListHolder) -> None:
    data = fixed.list(NOW - 5 * DAY, un=A)
    accepted(holder.offer(data, NOW - 2 * DAY))
    assert not holder.stale(NOW - DAY)
    assert holder.stale(NOW)
    assert isinstance(holder.offer(b"", NOW), ListRefused)
    assert holder.stale(NOW), "a refused list is no news"
    same = accepted(holder.offer(data, NOW))
    assert same.diff.added == same.diff.removed == same.diff.changed == frozenset()
    assert not holder.stale(NOW + DAY)
    assert holder.stale(NOW + DAY + 1)


def test_the_last_good_list_survives_a_restart_even_after_its_signer_ended(
    fixed: Fixed, holder: TrustListHolder, tmp_path: Path
) -> None:
    accepted(holder.offer(fixed.list(NOW, un=A), NOW))
    again = TrustListHolder(tmp_path / "list.xml", fixed.rule)
    found = again.load()
    assert isinstance(found, TrustList)
    assert again.current == holder.current
    assert again.confirmed_at == NOW
    late = again.offer(fixed.list(NOW + 2 * HOUR, un=B), NOW + 2 * HOUR)
    assert isinstance(late, ListRefused), "but nothing new from a signer that ended"
    assert late.fault is ListFault.SIGNER_CHAIN


def test_a_spoiled_file_is_said_and_not_used(fixed: Fixed, holder: TrustListHolder, tmp_path: Path) -> None:
    accepted(holder.offer(fixed.list(NOW, un=A), NOW))
    path = tmp_path / "list.xml"
    path.write_bytes(path.read_bytes().replace(b"un.example", b"xx.example"))
    again = TrustListHolder(path, fixed.rule)
    found = again.load()
    assert isinstance(found, ListRefused)
    assert found.fault is XmlFault.DIGEST
    assert again.current is None


def test_other_processes_follow(fixed: Fixed, holder: TrustListHolder, tmp_path: Path) -> None:
    accepted(holder.offer(fixed.list(NOW - HOUR, un=A), NOW - HOUR))
    other = TrustListHolder(tmp_path / "list.xml", fixed.rule)
    other.load()
    assert other.follow() is None
    accepted(holder.offer(fixed.list(NOW, un=B), NOW))
    change = other.follow()
    assert isinstance(change, Accepted)
    assert change.diff.names_added == {"un.example": {parse(B)}}
    assert other.current == holder.current
    assert other.confirmed_at == NOW
    accepted(other.offer(fixed.list(NOW + MINUTE, un=A), NOW))
    late = holder.offer(fixed.list(NOW + MINUTE // 2, un=B), NOW)
    assert isinstance(late, ListRefused), "newer than its own, older than the file's"
    assert late.fault is ListFault.NOT_NEWER
    assert holder.current == other.current
    accepted(holder.offer(fixed.list(NOW + MINUTE, un=A), NOW + MINUTE))
    assert not other.follow()
    assert other.confirmed_at == NOW + MINUTE
    old = TrustListHolder(tmp_path / "old.xml", fixed.rule)
    accepted(old.offer(fixed.list(NOW - DAY, un=A), NOW))
    (tmp_path / "old.xml").replace(tmp_path / "list.xml")
    older = other.follow()
    assert isinstance(older, ListRefused), "an older file is not followed"
    assert older.fault is ListFault.NOT_NEWER
    assert other.follow() is None, "and that is said once"

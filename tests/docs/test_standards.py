"""docs/standards.tsv: every RFC that the code cites is there, with a status and a file that cites it; IMAP announces just that."""

from __future__ import annotations

import csv
import re

import pytest

from mailserver.imap.capabilities import capabilities
from mailserver.imap.context import Context, Settings
from mailserver.sign_in import SignedIn
from mailserver.smtp.extensions import EXTENSIONS, to_all
from mailserver.smtp.limits import Limits
from mailserver.store.memory import MemoryMailStore
from tests.docs.tree import PACKAGES, ROOT
from tests.support.people import People

CITED = re.compile(r"RFC (\d{3,5})")

with (ROOT / "docs" / "standards.tsv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True))


def test_every_rfc_cited_in_the_code_is_listed() -> None:
    listed = {row["specification"] for row in ROWS}
    cited = {
        f"RFC {number}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for number in CITED.findall(path.read_text(encoding="utf-8"))
    }
    assert cited
    assert cited <= listed, f"add to docs/standards.tsv: {sorted(cited - listed)}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['specification']} {row['section']}")
def test_a_row_is_complete_and_its_file_cites_the_specification(row: dict[str, str]) -> None:
    assert row["status"] in ("Yes", "Partial", "No")
    assert re.fullmatch(r"\d+(\.\d+)*((, | to )\d+(\.\d+)*)*", row["section"])
    assert row["note"]
    if row["status"] == "No":
        assert not row["file"]
    else:
        assert row["specification"] in (ROOT / row["file"]).read_text(encoding="utf-8")


# Where each word of the CAPABILITY reply is specified.
CAPABILITIES = {
    "IMAP4rev1": "RFC 3501",
    "IMAP4rev2": "RFC 9051",
    "STARTTLS": "RFC 3501",
    "LOGINDISABLED": "RFC 3501",
    "AUTH=PLAIN": "RFC 4616",
    "AUTH=LOGIN": None,  # never written down; Outlook speaks it
    "AUTH=SCRAM-SHA-256": "RFC 7677",
    "AUTH=SCRAM-SHA-256-PLUS": "RFC 7677",
    "ACL": "RFC 4314",
    "APPENDLIMIT": "RFC 7889",
    "BINARY": "RFC 3516",
    "CHILDREN": "RFC 3348",
    "CATENATE": "RFC 4469",
    "COMPRESS=DEFLATE": "RFC 4978",
    "CONDSTORE": "RFC 7162",
    "CONTEXT=SEARCH": "RFC 5267",
    "CONTEXT=SORT": "RFC 5267",
    "CREATE-SPECIAL-USE": "RFC 6154",
    "ENABLE": "RFC 5161",
    "ESEARCH": "RFC 4731",
    "ESORT": "RFC 5267",
    "ID": "RFC 2971",
    "IDLE": "RFC 2177",
    "INPROGRESS": "RFC 9585",
    "LIST-EXTENDED": "RFC 5258",
    "LIST-METADATA": "RFC 9590",
    "LIST-MYRIGHTS": "RFC 8440",
    "LIST-STATUS": "RFC 5819",
    "LITERAL+": "RFC 7888",
    "LITERAL-": "RFC 7888",
    "METADATA": "RFC 5464",
    "MOVE": "RFC 6851",
    "MULTIAPPEND": "RFC 3502",
    "MULTISEARCH": "RFC 7377",
    "NAMESPACE": "RFC 2342",
    "NOTIFY": "RFC 5465",
    "OBJECTID": "RFC 8474",
    "PARTIAL": "RFC 9394",
    "PREVIEW": "RFC 8970",
    "QRESYNC": "RFC 7162",
    "QUOTA": "RFC 9208",
    "QUOTA=RES-MESSAGE": "RFC 9208",
    "QUOTA=RES-STORAGE": "RFC 9208",
    "QUOTASET": "RFC 9208",
    "REPLACE": "RFC 8508",
    "RIGHTS": "RFC 4314",
    "SASL-IR": "RFC 4959",
    "SAVEDATE": "RFC 8514",
    "SEARCHRES": "RFC 5182",
    "SORT": "RFC 5256",
    "SORT=DISPLAY": "RFC 5957",
    "SPECIAL-USE": "RFC 6154",
    "STATUS=SIZE": "RFC 8438",
    "THREAD=ORDEREDSUBJECT": "RFC 5256",
    "THREAD=REFERENCES": "RFC 5256",
    "THREAD=REFS": "RFC 5256",  # the draft of that name orders by the newest message
    "UIDONLY": "RFC 9586",
    "UIDPLUS": "RFC 4315",
    "UNAUTHENTICATE": "RFC 8437",
    "UNSELECT": "RFC 3691",
    "UTF8=ACCEPT": "RFC 9755",
    "WITHIN": "RFC 5032",
    "XLIST": None,  # Gmail's, never written down
}
# IMAP4rev1 and IMAP4rev2 stand or fall with all of it: how much is done, the row itself says.
BASE = ("RFC 3501", "RFC 9051")


def announced() -> set[str]:
    """All that any CAPABILITY reply of ours can hold (the number of APPENDLIMIT and the like left out)."""
    names = set[str]()
    for tls, box in ((False, None), (True, None), (True, SignedIn(1, "a", "A"))):
        ctx = Context(MemoryMailStore(), People({}), Settings(holder_quota=1), "192.0.2.1", tls)
        ctx.bind = lambda kind: None  # TLS 1.3
        ctx.identity = box
        names.update(capabilities(ctx))
    return {name if name in CAPABILITIES else name.partition("=")[0] for name in names}


def test_what_is_announced_is_done_whole() -> None:
    found = announced()
    assert found <= CAPABILITIES.keys(), "add to CAPABILITIES"
    done = {row["specification"] for row in ROWS if row["status"] == "Yes"}
    promised = {spec for name in found if (spec := CAPABILITIES[name]) is not None and spec not in BASE}
    assert promised <= done, f"announced, yet not Yes in docs/standards.tsv: {sorted(promised - done)}"


def test_what_is_done_is_announced() -> None:
    """Of IMAP's extensions: a row that says Yes has a word in the CAPABILITY reply."""
    extensions = {spec for spec in CAPABILITIES.values() if spec is not None}
    promised = {CAPABILITIES[name] for name in announced()}
    done = {row["specification"] for row in ROWS if row["status"] == "Yes" and row["specification"] in extensions}
    assert done <= promised, f"Yes in docs/standards.tsv, yet not announced: {sorted(done - promised)}"


# Where each word of the EHLO reply is specified.
EHLO = {
    "PIPELINING": "RFC 2920",
    "SIZE": "RFC 1870",
    "8BITMIME": "RFC 6152",
    "SMTPUTF8": "RFC 6531",
    "ENHANCEDSTATUSCODES": "RFC 2034",
    "CHUNKING": "RFC 3030",
    "BINARYMIME": "RFC 3030",
    "DSN": "RFC 3461",
    "LIMITS": "RFC 9422",
    "DELIVERBY": "RFC 2852",
    "REQUIRETLS": "RFC 8689",
    "FUTURERELEASE": "RFC 4865",
    "MT-PRIORITY": "RFC 6710",
    "STARTTLS": "RFC 3207",
    "AUTH": "RFC 4954",
}


def test_smtp_announces_what_is_done() -> None:
    announced = {one.keyword for one in EXTENSIONS} | {line.split()[0] for line in to_all(Limits())}
    assert announced == EHLO.keys()
    done = {row["specification"] for row in ROWS if row["status"] == "Yes"}
    assert {EHLO[name] for name in announced} <= done


def test_rows_are_in_order_and_told_once() -> None:
    keys = [(int(row["specification"].removeprefix("RFC ")), row["section"]) for row in ROWS]
    assert keys == sorted(set(keys))

"""One demo operator's ports and settings file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runtime.demo.people import CITIZEN_DOMAIN, Operator
from runtime.demo.pki import ED25519_KEY, RSA_KEY, SIGNER_NAME, Pki

# door -> offset above the operator's first port: like the official numbers, as far as two digits allow
OFFSETS = {
    "mx": 25,
    "ldaps": 36,
    "imap": 43,
    "submissions": 65,
    "web": 80,
    "submission": 87,
    "metrics": 90,
    "imaps": 93,
}
BENCH_OFFSET = 26
HELP = "01 99 00 10 00, du lundi au vendredi, de 9 h à 18 h"  # a number that is never given to anybody


@dataclass(frozen=True, slots=True)
class Ports:
    first: int
    web: bool  # the page is where citizens' mailboxes live
    bench: bool

    def doors(self) -> dict[str, str]:
        offsets = OFFSETS | ({"bench": BENCH_OFFSET} if self.bench else {})
        return {
            name: f"127.0.0.1:{self.first + offset}"
            for name, offset in offsets.items()
            if self.web or name not in ("web", "bench")
        }

    def named(self) -> dict[str, str]:
        """As in var/demo.json, where the MX door is called `smtp`."""
        return {"smtp" if name == "mx" else name: door for name, door in self.doors().items()}


def settings_text(operator: Operator, ports: Ports, others: Mapping[Operator, Ports], pki: Pki, data: Path) -> str:
    """The whole `mssante.toml`; absolute paths only to what operators share."""
    citizen = {"citizen_domain": operator.citizen_domain} if operator.citizen_domain else {}
    routes = {
        domain: other_ports.doors()["mx"] for other, other_ports in others.items() for domain in other.all_domains
    }
    shared = {"anchors": str(pki.root), "crl": str(pki.crl)}
    sections: dict[str, Mapping[str, object]] = {
        "operator": {
            "name": operator.name,
            "host": operator.host,
            "domains": list(operator.domains),
            "citizen_domain_of_space": CITIZEN_DOMAIN,
            **citizen,
        },
        "storage": {"database": "sqlite:///mssante.db"},
        "doors": ports.doors(),
        "tls": {"certificate": "tls/server.pem", "key": "tls/server.key", **shared},
        "trust_list": {"file": str(pki.trust_list), "signer": f"CN={SIGNER_NAME}", "anchors": shared["anchors"]},
        "routes": routes,
        "web": {"origin": f"http://localhost:{ports.first + OFFSETS['web']}", "help": HELP} if ports.web else {},
        "outbox": {"folder": "outbox", "codes": str(data / "codes")}
        if operator.citizen_domain
        else {"folder": "outbox"},
        "limits": {"holder_quota_bytes": 2_000_000_000},
        "dkim": {
            "rsa_key": f"keys/{RSA_KEY}",
            "ed25519_key": f"keys/{ED25519_KEY}",
            "records": str(pki.dkim_zone),
        },
    }
    if ports.bench:  # a thousand connections of one test mailbox are measured
        sections["limits"] = {**sections["limits"], "imap_sessions": 2_000}
    return "\n".join(_section(name, values) for name, values in sections.items())


def _section(name: str, values: Mapping[str, object]) -> str:
    # A JSON string, number, or list of strings is valid TOML too.
    lines = [f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _key(name: str) -> str:
    return json.dumps(name) if "." in name else name

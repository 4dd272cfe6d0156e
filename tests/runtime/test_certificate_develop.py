"""`mssante certificate develop` as a developer types it: an authority, an operator's certificate, a list that names it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from typer.testing import CliRunner, Result

from certs import trust_store
from certs.chain import Checks
from foundation.clock import system_clock
from mssante.trust_list import Signer as ListSigner
from mssante.trust_list import TrustList, read_list
from runtime.cli import app

CN = "2.5.4.3"


def run(*words: object) -> Result:
    return CliRunner().invoke(app, list(map(str, words)))


def made(folder: Path, kind: str, name: str, *more: str) -> dict[str, str]:
    words = (kind, name, "--authority", folder / "ac", "--out", folder / kind, *more, "--json")
    found: dict[str, str] = json.loads(run("certificate", "develop", *words).stdout)
    return found


def test_an_operator_and_the_list_that_names_it(tmp_path: Path) -> None:
    operator = made(tmp_path, "operator", "mail.exemple.example", "--also", "localhost", "--organisation", "Exemple")
    signer = made(tmp_path, "list-signer", "Liste")
    assert operator["dn"] == "CN=mail.exemple.example,OU=1990000001,O=Exemple,ST=Villefleur (99),C=FR"
    chain = ["-CAfile", operator["anchor"], "-untrusted", operator["certificate"], operator["certificate"]]
    subprocess.run(["openssl", "verify", "-purpose", "sslserver", *chain], check=True, capture_output=True)
    [names] = [
        one.value.get_values_for_type(x509.DNSName)
        for one in x509.load_pem_x509_certificate(Path(operator["certificate"]).read_bytes()).extensions
        if isinstance(one.value, x509.SubjectAlternativeName)
    ]
    assert names == ["mail.exemple.example", "localhost"]

    (tmp_path / "table.csv").write_text(f"domain;dn\nexemple.example;{operator['dn']}\n")
    keys = ("--key", signer["key"], "--certificate", signer["certificate"], "--out", tmp_path / "list.xml")
    assert run("trust-list", "sign", tmp_path / "table.csv", *keys).exit_code == 0
    judge = trust_store.load(Path(signer["anchor"]), checks=Checks(crl_required=False)).signer_judge()
    found = read_list((tmp_path / "list.xml").read_bytes(), ListSigner(judge, ((CN, "Liste"),)), None)
    assert isinstance(found, TrustList)


def test_without_its_folder_no_authority_is_begun(tmp_path: Path) -> None:
    words = ("operator", "mx.un.example", "--authority", tmp_path / "ac", "--out", tmp_path / "tls" / "server")
    refused = run("certificate", "develop", *words)
    assert (refused.exit_code, refused.output) == (1, f"{tmp_path / 'tls'} : fichier ou dossier absent\n")
    assert list(tmp_path.iterdir()) == []


def test_the_second_certificate_is_by_the_same_authority_and_a_key_is_nobody_elses(tmp_path: Path) -> None:
    first = made(tmp_path, "operator", "mx.un.example")
    person = made(tmp_path, "person", "899700000019", "--surname", "MARTIN", "--given-name", "ZOÉ")
    read = [x509.load_pem_x509_certificate(Path(one["certificate"]).read_bytes()) for one in (first, person)]
    assert read[0].issuer == read[1].issuer
    usages = read[1].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usages) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert Path(person["key"]).stat().st_mode & 0o777 == 0o600
    [crl, _] = [
        x509.load_pem_x509_crl(b"-----BEGIN" + one) for one in Path(first["crl"]).read_bytes().split(b"-----BEGIN")[1:]
    ]
    assert crl.next_update_utc is not None
    assert crl.next_update_utc.timestamp() * 1000 > system_clock()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("person", "899700000019"), "--surname et --given-name"),
        (("operator", "mx.un.example", "--out", "taken"), "taken.pem existe déjà"),
        (("operator", "mx.un.example", "--authority", "full"), "ni vide ni le dossier d’une autorité"),
        (("operator", "mx.un.example", "--out", "nowhere/x"), "fichier ou dossier absent"),
    ],
)
def test_what_is_refused_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken.pem").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    found = run("certificate", "develop", "--authority", "ac", "--out", "x", *words)
    assert found.exit_code == 1
    assert said in found.stderr
    assert not (tmp_path / "x.key").exists()
    assert sorted(one.name for one in (tmp_path / "full").iterdir()) == ["notes.txt"]

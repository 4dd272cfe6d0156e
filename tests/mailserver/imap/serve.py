"""The real transport for tests: run as a process, it opens both doors on free loopback ports and prints them as JSON.

One uvloop loop with Twisted's reactor on it, a self-made certificate, the store in memory. Ends when its input is closed.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

loop = uvloop.new_event_loop()
asyncio.set_event_loop(loop)
import mailserver.imap.factory  # noqa: E402, F401  (must not import the reactor by itself)
from runtime.loop import install  # noqa: E402

install(loop)
from OpenSSL import SSL  # noqa: E402
from twisted.internet import endpoints, reactor  # noqa: E402

from certs import crl  # noqa: E402
from certs.authority import Authority  # noqa: E402
from certs.chain import Trusted  # noqa: E402
from certs.contexts import Identity, TwistedContextFactory, asking_context, server_context  # noqa: E402
from certs.names import of_name  # noqa: E402
from certs.profiles import ORGANISATION, organisation_subject  # noqa: E402
from certs.tls_session import peer_certificate, peer_chain  # noqa: E402
from certs.trust_store import TrustStore  # noqa: E402
from foundation.clock import system_clock  # noqa: E402
from foundation.dn import DistinguishedName  # noqa: E402
from mailserver.imap.context import Settings  # noqa: E402
from mailserver.imap.factory import ImapFactory, over_tls  # noqa: E402
from mailserver.imap.protocol import Limits  # noqa: E402
from mailserver.imap.sending import prompt  # noqa: E402
from mailserver.imap.session import ImapSession  # noqa: E402
from mailserver.sign_in import SignedIn  # noqa: E402
from tests.mailserver.imap.player import BOX, PEOPLE, Store, new_store  # noqa: E402
from tests.support.people import People  # noqa: E402


def certificate(folder: Path) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Identity(folder / "cert.pem", folder / "key.pem")


KINDS = ("good", "revoked", "disowned")


def for_programs(folder: Path, store: Callable[[], Store]) -> ImapFactory:
    """A door that asks for a certificate; `good`, `revoked` (in a list) and `disowned` (by OCSP, we say) are put in the folder,
    each with its key.
    """
    authority, now = Authority.create(system_clock()), system_clock()
    disowned = b""
    for name in KINDS:
        issued = authority.issue(ORGANISATION, organisation_subject(name, "1990000029", "LABO", "Villefleur (99)"), now)
        issued.write(folder, name)
        if name == "revoked":
            authority.revoke(issued.certificate, now)
        if name == "disowned":
            disowned = issued.certificate.public_bytes(serialization.Encoding.DER)
    trusted = TrustStore((authority.root.certificate,), crl.from_x509(authority.crls(now)))
    context = asking_context(Identity(folder / "cert.pem", folder / "key.pem"))
    lab = SignedIn(BOX, "resultats@labo.example", "Laboratoire")
    names = [organisation_subject(name, "1990000029", "LABO", "Villefleur (99)") for name in KINDS]
    machines = People({"bob": ("x", lab)}, certificates={of_name(name).text: [lab] for name in names})

    def judge(channel: SSL.Connection) -> DistinguishedName | None:
        leaf = peer_certificate(channel)
        verdict = None if leaf is None else trusted.judge(leaf, peer_chain(channel), system_clock())
        return verdict.dn if isinstance(verdict, Trusted) else None

    def vouch(channel: SSL.Connection) -> Callable[[], Awaitable[bool]]:
        async def vouched() -> bool:
            return peer_certificate(channel) != disowned

        return vouched

    return ImapFactory(
        lambda address: ImapSession(store(), machines, Settings(), address, True),
        TwistedContextFactory(lambda: context),
        judge=judge,
        vouch=vouch,
    )


async def main(folder: Path) -> None:
    context = server_context(certificate(folder))
    tls = TwistedContextFactory(lambda: context)
    store = await new_store("three messages")
    settings, limits = Settings(append_limit=20_000_000), Limits(before_sign_in=4, per_address=20)

    def factory(over: bool) -> ImapFactory:
        return ImapFactory(lambda address: ImapSession(store, PEOPLE, settings, address, over), tls, limits)

    plain, secure, asking = factory(False), factory(True), for_programs(folder, lambda: store)
    ports = {}
    for name, door in (("imap", plain), ("imaps", over_tls(secure, tls)), ("programs", over_tls(asking, asking.tls))):
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        ports[name] = prompt(await endpoint.listen(door).asFuture(loop)).getHost().port
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await plain.shut_down()
    await secure.shut_down()
    await asking.shut_down()


if __name__ == "__main__":
    reactor.startRunning(installSignalHandlers=False)
    loop.run_until_complete(main(Path(sys.argv[1])))
    loop.call_soon(reactor.stop)  # type: ignore[misc]  # typed by an interface of zope's
    loop.run_forever()

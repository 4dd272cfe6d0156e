"""The real transport for tests: run as a process, it opens both doors on free loopback ports and prints them as JSON.

One uvloop loop with Twisted's reactor on it, a self-made certificate, the store in memory. Ends when its input is closed.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import sys
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

loop = uvloop.new_event_loop()
asyncio.set_event_loop(loop)
from twisted.internet import asyncioreactor  # noqa: E402

import mailserver.imap.factory  # noqa: E402, F401  (must not import the reactor by itself)

asyncioreactor.install(loop)
from twisted.internet import endpoints, reactor  # noqa: E402

from certs.contexts import Identity, TwistedContextFactory, server_context  # noqa: E402
from mailserver.imap.context import Settings  # noqa: E402
from mailserver.imap.factory import ImapFactory, over_tls  # noqa: E402
from mailserver.imap.protocol import Limits  # noqa: E402
from mailserver.imap.session import ImapSession  # noqa: E402
from tests.mailserver.imap.player import PEOPLE, new_store  # noqa: E402


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


async def main(folder: Path) -> None:
    context = server_context(certificate(folder))
    tls = TwistedContextFactory(lambda: context)
    store = await new_store("three messages")
    settings, limits = Settings(append_limit=20_000_000), Limits(before_sign_in=4, per_address=20)

    def factory(over: bool) -> ImapFactory:
        return ImapFactory(lambda address: ImapSession(store, PEOPLE, settings, address, over), tls, limits)

    plain, secure = factory(False), factory(True)
    ports = {}
    for name, door in (("imap", plain), ("imaps", over_tls(secure, tls))):
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        ports[name] = (await endpoint.listen(door).asFuture(loop)).getHost().port
    print(json.dumps(ports), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await plain.shut_down()
    await secure.shut_down()


if __name__ == "__main__":
    reactor.startRunning(installSignalHandlers=False)
    loop.run_until_complete(main(Path(sys.argv[1])))
    loop.call_soon(reactor.stop)
    loop.run_forever()

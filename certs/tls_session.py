"""One TLS session without any transport, of either side: bytes in, bytes out (TLS 1.2 and 1.3, by OpenSSL through pyOpenSSL).

Why not the `ssl` module: there, a client certificate that does not verify ends the handshake, and our door must instead
finish it and answer 550 with the fault (docs/rules.md section 1); and it cannot ask a server for the OCSP answer that it
staples (RFC 6066 8). Here the context accepts every certificate (`certs.contexts.asking_context`, `relay_context`); proof
of possession of its key is still required by the handshake. Judging it is `certs.chain`'s matter, after the handshake.
"""

from __future__ import annotations

from collections.abc import Callable

from OpenSSL import SSL, crypto

from certs.channel_binding import channel_binding

RECORD = 16_384  # RFC 8446 5.1: plaintext of one record at most
CHUNK = 65_536  # what one read hands over, and what one outgoing piece holds


class TlsError(ConnectionError):
    """The handshake or a record failed; the text holds OpenSSL's reason, never data of the peer."""


class TlsSession:
    """Feed with `receive`, then ask `handshake` or `read`; after each call send what `outgoing` returns."""

    __slots__ = ("_failure", "_ssl", "dry")

    def __init__(self, context: SSL.Context, server_name: str | None = None) -> None:
        """With `server_name` it is the client's side ("": a server without a name, RFC 6066 3)."""
        self._ssl = SSL.Connection(context, None)
        if server_name is None:
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()
            self._ssl.request_ocsp()
            if server_name:
                self._ssl.set_tlsext_host_name(server_name.encode("idna"))
        self._failure: TlsError | None = None
        self.dry = True  # nothing more to read until something is received

    def receive(self, data: bytes) -> None:
        """Bytes from the network, in pieces of any size."""
        if data:
            self.dry = False
            self._ssl.bio_write(data)

    def handshake(self) -> bool:
        """True when it is finished. Raises TlsError (the alert is then in `outgoing`)."""
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            raise TlsError(_reason(error)) from error
        return True

    def read(self, limit: int = CHUNK) -> bytes | None:
        """Up to about `limit` decrypted bytes; None when more must be received first, b"" after the peer's
        close_notify.

        Raises TlsError on a bad record, after having handed over what came before it.
        """
        if self._failure:
            raise self._failure
        pieces: list[bytes] = []
        size, ended = 0, False
        while size < limit:
            try:
                piece = self._ssl.recv(RECORD)
            except SSL.WantReadError:
                self.dry = True
                break
            except SSL.ZeroReturnError:
                ended = True
                break
            except SSL.Error as error:
                self._failure = TlsError(_reason(error))
                if not pieces:
                    raise self._failure from error
                break
            pieces.append(piece)
            size += len(piece)
        if not pieces:
            return b"" if ended else None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypts; only after the handshake. Raises TlsError."""
        try:
            self._ssl.sendall(data)
        except SSL.Error as error:
            raise TlsError(_reason(error)) from error

    def outgoing(self) -> bytes:
        """What must be sent now, and is forgotten here; b"" when nothing."""
        pieces: list[bytes] = []
        while True:
            try:
                piece = self._ssl.bio_read(CHUNK)
            except SSL.WantReadError:
                break
            pieces.append(piece)
            if len(piece) < CHUNK:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Prepares our close_notify (RFC 8446 6.1); harmless when the session already failed."""
        try:
            self._ssl.shutdown()
        except SSL.Error:
            return

    def peer_certificate(self) -> bytes | None:
        """DER, or None when the peer presented none."""
        return peer_certificate(self._ssl)

    def peer_chain(self) -> tuple[bytes, ...]:
        """DER of the certificates sent after the leaf, in the peer's order, as sent: nothing is verified."""
        return peer_chain(self._ssl)

    def stapled(self) -> bytes:
        """The OCSP answer that the server showed with its certificate, not judged; b"" when there is none."""
        return self._ssl.get_app_data() or b""

    def channel_binding(self) -> Callable[[str], bytes | None] | None:
        """See `certs.channel_binding`."""
        return channel_binding(self._ssl)

    def cipher(self) -> tuple[str, str, int] | None:
        """(suite, protocol version, secret bits), as `ssl.SSLObject.cipher`; None before the handshake."""
        name = self._ssl.get_cipher_name()
        return None if name is None else (name, self._ssl.get_protocol_version_name(), self._ssl.get_cipher_bits() or 0)


def peer_certificate(connection: SSL.Connection) -> bytes | None:
    """As `TlsSession.peer_certificate`."""
    certificate = connection.get_peer_certificate()
    return None if certificate is None else _der(certificate)


def peer_chain(connection: SSL.Connection) -> tuple[bytes, ...]:
    """As `TlsSession.peer_chain`."""
    leaf = peer_certificate(connection)
    sent = tuple(_der(one) for one in connection.get_peer_cert_chain() or ())
    return sent[1:] if sent[:1] == (leaf,) else sent


def _der(certificate: crypto.X509) -> bytes:
    """OpenSSL keeps the bytes received; a hostile certificate is parsed only by its judge."""
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _reason(error: SSL.Error) -> str:
    """The last reason of OpenSSL's error queue, in words ("unsupported protocol"); never the peer's bytes."""
    if isinstance(error, SSL.SysCallError):
        return "connection closed"
    queue = error.args[0] if error.args else []
    return str(queue[-1][-1]) if queue and isinstance(queue, list) else "TLS failure"

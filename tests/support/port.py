"""A port of this machine for a server that is told its number: of nobody else, from before it starts until it ended."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def a_port() -> Iterator[int]:
    """Bound, and not listened at: whoever asks for any port is given another, whoever asks for this number may listen there."""
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        yield kept.getsockname()[1]

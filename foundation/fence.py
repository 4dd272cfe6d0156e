"""The inside of a process where hostile files are opened: a program of its own, fed on standard input, killed when it is too slow.

It knows no key, has no database, reads no file but its own code and libraries (`landlock`), writes none, and answers in JSON and
raw octets (never pickle: a file that took over this process could not reach the server through its answer). Only the standard
library is imported here; the outside is `fenced`.
Frames, both ways: 4 octets length of a JSON head, 4 octets length of the body, head, body.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from foundation import landlock

_SYSTEM = (
    "/usr/lib",
    "/usr/local/lib",
    "/lib",
    "/lib64",
    "/usr/share",
    "/etc/ld.so.cache",
    "/etc/fonts",
    "/etc/mime.types",
)
MEMORY = 1 << 30  # octets of address space: a bomb ends as MemoryError here, not as a full machine

Answer = tuple[dict[str, Any], bytes]


def serve(run: Callable[[dict[str, Any], bytes], Answer]) -> None:
    """Answers frames until standard input ends; one task at a time."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # a reader that prints must not break a frame
    _fence()
    while len(lengths := source.read(8)) == 8:
        head_size, body_size = struct.unpack("!II", lengths)
        head = json.loads(source.read(head_size))
        answer, body = run(head, source.read(body_size))
        encoded = json.dumps(answer).encode()
        sink.write(struct.pack("!II", len(encoded), len(body)) + encoded + body)
        sink.flush()


def _fence() -> None:
    """No new file, nothing to see, bounded memory, no life beyond the parent's, and no turn before the server's: it costs seconds
    at will."""
    with suppress(OSError):  # forbidden by who started us
        os.nice(10)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    landlock.see_only(_ours())


def _ours() -> Iterator[Path]:
    """Where code is loaded from, late too; fonts. Of a folder with our sources the packages only: settings may lie beside them."""
    root = Path(__file__).parents[1]
    for place in map(Path, (*sys.path, sys.prefix, sys.base_prefix, *_SYSTEM)):
        if place == root and root.name != "site-packages":
            yield from (path.parent for path in root.glob("*/__init__.py"))
        else:
            yield place

"""Plain clients for measuring: raw sockets, answers counted and not parsed, so that the server is what is timed."""

from __future__ import annotations

import random
import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from email.utils import formatdate

_RANDOM = random.Random(7)
_WORDS = ["".join(_RANDOM.choice("abcdeghilmnoprstuv") for _ in range(_RANDOM.randint(3, 10))) for _ in range(2000)]


def message(number: int, sender: str, to: str, size: int = 4096) -> bytes:
    """A mail as it arrives: usual headers, three body shapes in turn, CRLF line ends."""
    pick = random.Random(number)

    def words(count: int) -> str:
        return " ".join(pick.choice(_WORDS) for _ in range(count))

    head = (
        f"Date: {formatdate(1.7e9 + number * 60)}\r\nFrom: {sender}\r\nTo: {to}\r\nSubject: {words(6)}\r\n"
        f"Message-ID: <{number}.{pick.getrandbits(64):x}@bench.example>\r\nMIME-Version: 1.0\r\n"
    )
    rows = [words(10) for _ in range(max(2, (size - len(head)) // 75))]
    lines, half = "\r\n".join(rows), len(rows) // 2
    if number % 3:
        return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{lines}\r\n".encode()
    first, second = "\r\n".join(rows[:half]), "\r\n".join(rows[half:])
    return (
        f'{head}Content-Type: multipart/alternative; boundary="b{number}"\r\n\r\n--b{number}\r\n'
        f"Content-Type: text/plain; charset=utf-8\r\n\r\n{first}\r\n--b{number}\r\n"
        f"Content-Type: text/html; charset=utf-8\r\n\r\n<p>{second}</p>\r\n--b{number}--\r\n"
    ).encode()


class Smtp:
    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.create_connection(address, 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reply()
        self._do(b"EHLO bench.example\r\n")

    def send(self, sender: str, to: str, content: bytes) -> None:
        self._do(f"MAIL FROM:<{sender}>\r\n".encode())
        self._do(f"RCPT TO:<{to}>\r\n".encode())
        self._do(b"DATA\r\n")
        self._do(content.replace(b"\r\n.", b"\r\n..") + b".\r\n")

    def close(self) -> None:
        self._socket.close()

    def _do(self, data: bytes) -> bytes:
        self._socket.sendall(data)
        return self._reply()

    def _reply(self) -> bytes:
        data = b""
        while not re.search(rb"(?m)^\d{3} .*\r\n\Z", data):
            piece = self._socket.recv(65536)
            if not piece:
                raise ConnectionError(data)
            data += piece
        if data[:1] in b"45":
            raise RuntimeError(data.decode())
        return data


def deliver(address: tuple[str, int], sender: str, to: str, count: int, connections: int) -> float:
    """Messages per second, each acknowledged before the next of its connection."""
    contents = [message(i, sender, to) for i in range(100)]

    def work(number: int) -> None:
        smtp = Smtp(address)
        for i in range(number, count, connections):
            smtp.send(sender, to, contents[i % 100])
        smtp.close()

    start = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(work, range(connections)))
    return count / (time.perf_counter() - start)


class Imap:
    def __init__(self, address: tuple[str, int], login: str, password: str) -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        raw = socket.create_connection(address, 120)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = context.wrap_socket(raw)
        self._number = 0
        self._socket.recv(4096)
        self.do(f'LOGIN "{login}" "{password}"')

    def do(self, command: str) -> bytes:
        self._number += 1
        tag = f"t{self._number}".encode()
        self._socket.sendall(tag + b" " + command.encode() + b"\r\n")
        pieces: list[bytes] = []
        tail = b""
        while True:
            piece = self._socket.recv(1 << 18)
            if not piece:
                raise ConnectionError(tail)
            pieces.append(piece)
            tail = (tail + piece)[-2048:]
            if found := re.search(rb"(?:^|\n)" + tag + rb" (OK|NO|BAD)[^\n]*\r\n\Z", tail):
                if found[1] != b"OK":
                    raise RuntimeError(tail[-300:].decode(errors="replace"))
                return b"".join(pieces)

    def append(self, folder: str, content: str) -> None:
        self.do(f"APPEND {folder} {{{len(content.encode())}+}}\r\n{content}")

    def idle(self) -> None:
        self._socket.sendall(b"idle IDLE\r\n")
        while not self._socket.recv(4096).startswith(b"+"):
            pass

    def timed(self, command: str, answers: int) -> float:
        """Answers per second."""
        start = time.perf_counter()
        data = self.do(command)
        seconds = time.perf_counter() - start
        if data.count(b" FETCH (") < answers:
            raise RuntimeError(f"{command}: answers are missing")
        return answers / seconds

    def close(self) -> None:
        self._socket.close()

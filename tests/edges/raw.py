"""Bytes over a socket: what no HTTP library would send."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

PATIENCE_S = 20.0


def exchange(base_url: str, parts: Iterable[bytes], *, pause_s: float = 0.0) -> bytes:
    """Send these parts, until the other side has had enough, and return all that it says before it closes."""
    address = urlsplit(base_url)
    with socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S) as connection:
        said = b""
        with suppress(ConnectionError):
            for part in parts:
                connection.sendall(part)
                if pause_s:
                    time.sleep(pause_s)
        with suppress(ConnectionError):
            while got := connection.recv(65_536):
                said += got
    return said


def status_of(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1.1 ") else 0

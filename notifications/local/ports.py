"""Loopback ports and addresses: free ones, and whether one is free or ours."""

from __future__ import annotations

import socket

HOST = "127.0.0.1"


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on `port`."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def is_here(url: str) -> bool:
    """Whether it is an address of this machine, over plain HTTP, as the embedded parts have."""
    return url.startswith((f"http://{HOST}:", "http://localhost:"))

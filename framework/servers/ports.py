"""Free ports of this machine, for servers that nobody else may meet."""

import secrets
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

HOST: Final = "127.0.0.1"
# Their twins, ten thousand above, end below the ports that systems give away by themselves.
_RANGE: Final = range(12_000, 22_000)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def free_ports(names: Iterable[str], *, twin: int | None = None) -> dict[str, int]:
    """For each of ``names`` a port of its own; with ``twin`` one whose port ``twin`` above is free too.

    At random, so that two starts at one time seldom want the same; they may, and then the server says so.
    """
    chosen: dict[str, int] = {}
    for name in names:
        while name not in chosen:
            port = _RANGE.start + secrets.randbelow(len(_RANGE))
            if port not in chosen.values() and is_free(port) and (twin is None or is_free(port + twin)):
                chosen[name] = port
    return chosen


def is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((HOST, port))
        return True
    return False

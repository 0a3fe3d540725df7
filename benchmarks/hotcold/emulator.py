"""A server behind a profile, in a process of its own: ``python -m benchmarks.hotcold.emulator PROFILE HOST:PORT``.

Prints the address it listens at, then, for each line it is given, how many bytes of bodies went through it until then; ends
with its standard input. A process of its own, because a benchmark that waits
for it must not share its interpreter.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import IO

from benchmarks.hotcold.pacing import Lane
from benchmarks.hotcold.profiles import Profile
from benchmarks.hotcold.relay import Relay
from benchmarks.processes import ROOT


@dataclass(frozen=True, slots=True)
class Emulated:
    """``endpoint``: the server's address behind the profile."""

    endpoint: str
    _asking: IO[str]
    _answering: IO[str]

    def carried(self) -> int:
        """Bytes of bodies that went through it until now, both ways."""
        self._asking.write("\n")
        self._asking.flush()
        return int(self._answering.readline())


@contextmanager
def before(address: tuple[str, int], profile: Profile) -> Iterator[Emulated]:
    """``address`` behind ``profile``, for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.hotcold.emulator", profile.name, f"{address[0]}:{address[1]}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Emulated(f"http://{process.stdout.readline().strip()}", process.stdin, process.stdout)
        finally:
            process.stdin.close()
            process.wait(timeout=10)


def main(profile: Profile, target: tuple[str, int]) -> None:
    total = Lane(profile.total_rate)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print("{}:{}".format(*listener.getsockname()), flush=True)
    Thread(target=_accept, args=(listener, profile, total, target), daemon=True).start()
    for _ in sys.stdin:
        print(total.carried, flush=True)


def _accept(listener: socket.socket, profile: Profile, total: Lane, target: tuple[str, int]) -> None:
    while True:
        client, _ = listener.accept()
        Thread(target=_serve, args=(client, profile, total, target), daemon=True).start()


def _serve(client: socket.socket, profile: Profile, total: Lane, target: tuple[str, int]) -> None:
    # A side that hangs up ends the connection, and nothing else.
    with client, suppress(OSError), socket.create_connection(target) as server:
        Relay(profile, total, client, server).serve()


if __name__ == "__main__":
    host, _, port = sys.argv[2].rpartition(":")
    main(Profile.named(sys.argv[1]), (host, int(port)))

"""An S3 server of the session's own: SeaweedFS on free ports, in a temporary folder, gone with its last test.

SeaweedFS binds a gRPC twin 10,000 above every port and puts sockets named after ports into the temporary directory;
both are given here, so that no second run is met. It takes half a minute to stop when asked: it is killed instead,
because nothing of it is kept.
"""

import ctypes
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READY_S: Final = 90.0
REGION: Final = "us-east-1"
_TWIN: Final = 10_000
_PORTS: Final = range(12_000, 22_000)  # their twins end below the ports that systems give away by themselves
_STARTS: Final = 3
_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
# One volume for each new bucket instead of seven: a bucket a test is then cheap.
_MASTER_TOML: Final = "[master.volume_growth]\ncopy_1 = 1\ncopy_2 = 1\ncopy_3 = 1\ncopy_other = 1\n"
_ACTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "admin": ("Admin", "Read", "Write", "List", "Tagging"),
    "reader": ("Read",),  # may neither list nor put
}


@dataclass(frozen=True, slots=True)
class Keys:
    """Static keys of one identity of the server."""

    access: str
    secret: str = field(repr=False)

    def environment(self) -> dict[str, str]:
        """As boto3's default chain, and Spark's, find them. Nothing of the machine is asked."""
        return {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@dataclass(frozen=True, slots=True)
class Seaweed:
    """A running server. ``reader`` is a second identity that may get objects, and neither list nor put."""

    endpoint: str
    admin: Keys
    reader: Keys
    pid: int
    _numbers: Iterator[int] = field(default_factory=lambda: count(1), repr=False)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.endpoint.removeprefix("http://").partition(":")
        return host, int(port)

    def bucket(self) -> str:
        """A new, empty bucket."""
        name = f"flights-{next(self._numbers)}-{secrets.token_hex(3)}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self, keys: Keys | None = None) -> "S3Client":
        """A boto3 client that knows nothing of the code under test."""
        import boto3
        from botocore.config import Config

        chosen = keys or self.admin
        return boto3.session.Session(chosen.access, chosen.secret, region_name=REGION).client(
            "s3", endpoint_url=self.endpoint, config=Config(s3={"addressing_style": "path"})
        )


@pytest.fixture(scope="session")
def seaweed() -> Iterator[Seaweed]:
    """One server for the session."""
    with running() as server:
        yield server


@contextmanager
def running() -> Iterator[Seaweed]:
    """A server as long as the block lasts. Raises: RuntimeError with the end of its log when it does not come up."""
    home = Path(tempfile.mkdtemp(prefix="weed-"))  # short: a socket's path has at most 107 bytes
    identities = {name: Keys(f"{name}-{secrets.token_hex(6)}", secrets.token_hex(16)) for name in _ACTIONS}
    _write_settings(home, identities)
    try:
        with _started(home) as (process, port):
            yield Seaweed(f"http://127.0.0.1:{port}", identities["admin"], identities["reader"], process.pid)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _write_settings(home: Path, identities: Mapping[str, Keys]) -> None:
    told = [
        {"name": name, "credentials": [{"accessKey": keys.access, "secretKey": keys.secret}], "actions": _ACTIONS[name]}
        for name, keys in identities.items()
    ]
    (home / "s3.json").write_text(json.dumps({"identities": told}))
    (home / "master.toml").write_text(_MASTER_TOML)
    (home / "data").mkdir()


@contextmanager
def _started(home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Another process may take a port between the look and the start: then others are tried."""
    for last in [False] * (_STARTS - 1) + [True]:
        ports = _free_ports(("master", "volume", "filer", "s3"))
        process = _start(home, ports)
        try:
            if _ready(process, ports["s3"]):
                yield process, ports["s3"]
                return
            if last:
                raise RuntimeError(f"no S3 server after {_STARTS} starts:\n{_log_end(home)}")
        finally:
            _stop(process, ports)


def _free_ports(names: tuple[str, ...]) -> dict[str, int]:
    chosen: dict[str, int] = {}
    while len(chosen) < len(names):
        port = _PORTS.start + secrets.randbelow(len(_PORTS))
        if port not in chosen.values() and _is_free(port) and _is_free(port + _TWIN):
            chosen[names[len(chosen)]] = port
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


def _start(home: Path, ports: Mapping[str, int]) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "dir": home / "data",
        "master.volumeSizeLimitMB": 64,
        "master.telemetry": "false",
        "volume.max": 300,  # every bucket takes volumes of its own
        "filer": "true",
        "filer.localSocket": home / "f.sock",
        "s3": "true",
        "s3.config": home / "s3.json",
        "s3.localSocket": home / "s.sock",
        "s3.port.iceberg": 0,  # on by default, and fatal when the port is taken
        "s3.port.lance": 0,
    }
    options |= {f"{name}.port": port for name, port in ports.items()}
    options |= {f"{name}.port.grpc": port + _TWIN for name, port in ports.items()}
    command = [str(Path(sys.executable).with_name("weed")), "-logtostderr", "server"]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            command + [f"-{name}={value}" for name, value in options.items()],
            cwd=home,
            env={"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), "GOMAXPROCS": "2"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 only one call of the system between fork and exec
        )


def _die_with_parent() -> None:
    """A test run that is killed must not leave a server behind."""
    ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it answers before its time is up; False when it ended, as it does when a port was taken."""
    deadline = time.monotonic() + READY_S
    while process.poll() is None and time.monotonic() < deadline:
        if _healthy(port):
            return True
        time.sleep(0.1)
    return False


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes], ports: Mapping[str, int]) -> None:
    process.kill()
    process.wait(timeout=30)
    for name, port in ports.items():  # no option names the place of these
        Path(f"/tmp/seaweedfs-{name}-grpc-{port + _TWIN}.sock").unlink(missing_ok=True)


def _log_end(home: Path) -> str:
    return (home / "log").read_text(errors="replace")[-3000:]

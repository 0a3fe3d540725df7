"""The JVM's process and pyspark's gateway to it. The process is started here, so that whatever interrupts its start ends it.

pyspark's ``launch_gateway`` can start one too, but tells nobody of it before it has answered. Interrupted until then, it
removes the folder that the JVM answers in: the JVM fails to, and stays for ever.
"""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Final

from py4j.java_gateway import JavaGateway
from pyspark import SparkConf
from pyspark.errors import PySparkRuntimeError
from pyspark.java_gateway import launch_gateway

from framework.spark.archive import quoted
from framework.spark.interrupts import held

__all__ = ["Start", "connected", "environ", "put"]

_POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Start:
    """How a JVM is started: what of ``os.environ`` is other for it, where its output goes, how long it may take to end."""

    conf: SparkConf
    changes: Mapping[str, str | None]
    output: IO[bytes] | None
    exit_timeout_s: float


def connected(start: Start, undo: ExitStack) -> JavaGateway:
    """A gateway to a JVM of its own, which ``undo`` ends; inside ``spark-submit`` to its JVM, which stays.

    Raises: PySparkRuntimeError, Py4JError, OSError.
    """
    with environ(start.changes):
        if "PYSPARK_GATEWAY_PORT" in os.environ:
            return launch_gateway()  # type: ignore[no-untyped-call]  # not annotated
        process, port, secret = _started(start, undo)
        with environ({"PYSPARK_GATEWAY_PORT": str(port), "PYSPARK_GATEWAY_SECRET": secret}):
            gateway = launch_gateway()  # type: ignore[no-untyped-call]  # not annotated
    gateway.proc = process
    return gateway


def _started(start: Start, undo: ExitStack) -> tuple[subprocess.Popen[bytes], int, str]:
    # All that the JVM spills and unpacks is in here: one that is killed cannot tidy up.
    folder = Path(undo.enter_context(TemporaryDirectory(prefix="teamspark-jvm-", ignore_cleanup_errors=True)))
    answer = folder / "answer"
    with ExitStack() as starting:
        with held():
            process = _popen(start, folder, answer)
            undo.callback(_end, process, start.exit_timeout_s)
            # It does not look at its standard input before it has answered.
            starting.callback(process.kill)
        port, secret = _answered(process, answer)
        starting.pop_all()
    return process, port, secret


def _popen(start: Start, folder: Path, answer: Path) -> subprocess.Popen[bytes]:
    command = [str(Path(os.environ["SPARK_HOME"]) / "bin" / "spark-submit")]
    for key, value in start.conf.getAll():
        command += ["--conf", f"{key}={value}"]
    return subprocess.Popen(
        [*command, *shlex.split(os.environ.get("PYSPARK_SUBMIT_ARGS", "pyspark-shell"))],
        # Held open: the JVM ends when this process does, however that ends.
        stdin=subprocess.PIPE,
        stdout=start.output,
        stderr=start.output,
        env={
            **os.environ,
            **_scratch(folder, start.conf),
            "SPARK_CONNECT_MODE": "0",
            "_PYSPARK_DRIVER_CONN_INFO_PATH": str(answer),
        },
        # A terminal's Ctrl-C is for us: we stop the JVM when we are done with it.
        preexec_fn=_ignore_interrupts,  # noqa: PLW1509  one system call, as in pyspark's own start
    )


def _scratch(folder: Path, conf: SparkConf) -> dict[str, str]:
    """The JVM's temporary files in ``folder``, and its blocks and shuffles too unless somebody said where they belong."""
    options = f"-Djava.io.tmpdir={quoted(folder)} {os.environ.get('SPARK_SUBMIT_OPTS', '')}".strip()
    elsewhere = "SPARK_LOCAL_DIRS" in os.environ or conf.contains("spark.local.dir")
    return {"SPARK_SUBMIT_OPTS": options} | ({} if elsewhere else {"SPARK_LOCAL_DIRS": str(folder)})


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _answered(process: subprocess.Popen[bytes], answer: Path) -> tuple[int, str]:
    """Port and secret, as Spark's ``PythonGatewayServer`` writes them: in a file that appears whole."""
    while not answer.is_file():
        if process.poll() is not None:
            raise PySparkRuntimeError(errorClass="JAVA_GATEWAY_EXITED", messageParameters={})
        time.sleep(_POLL_S)
    told = answer.read_bytes()
    length = int.from_bytes(told[4:8])
    return int.from_bytes(told[:4]), told[8 : 8 + length].decode()


def _end(process: subprocess.Popen[bytes], timeout_s: float) -> None:
    """Closing its standard input ends the JVM, and here we wait until it has ended."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    finally:
        # Also when a second interrupt ends the wait.
        if process.poll() is None:
            process.kill()
            process.wait()


@contextmanager
def environ(changes: Mapping[str, str | None]) -> Iterator[None]:
    """``os.environ`` with ``changes`` while pyspark reads it or a child copies it: pyspark has no other way to be told."""
    before = {name: os.environ.get(name) for name in changes}
    put(changes)
    try:
        yield
    finally:
        put(before)


def put(changes: Mapping[str, str | None]) -> None:
    """Set these variables of the process; None: remove."""
    for name, value in changes.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value

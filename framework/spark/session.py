"""The Spark session of one process: started from the class-data archive, with the platform's settings applied last.

Only this module (with ``gateway``, ``archive`` and ``training``) touches the JVM's gateway; everything else in this room
keeps to the API that classic Spark and Spark Connect share.
"""

import logging
import os
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final, TypeAlias

import pyspark
from py4j.java_gateway import JavaGateway
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark import SparkConf
from pyspark.core.context import SparkContext
from pyspark.errors import PySparkException
from pyspark.logger import PySparkLogger
from pyspark.sql import SparkSession

from framework.diagnosis import Evidence, Where, diagnose
from framework.diagnosis.signs import AWAY
from framework.errors import RunLost, SetupError, TeamsparkError, clip
from framework.java import Java, find_java
from framework.spark.archive import Notice, archive_options, ensure_archive, fingerprint, is_mapped, report_ignored
from framework.spark.gateway import Start, connected, environ, put
from framework.spark.interrupts import Interrupts, kept, watched
from framework.spark.sealing import OTHERS_GATEWAY, cleared, own_file
from framework.spark.settings import (
    SessionSettings,
    Setting,
    effective_settings,
    is_local,
    left_out,
    submit_arguments,
    submit_conf,
)
from framework.spark.tuning import SHORT_JOB, tuned

__all__ = [
    "Launch",
    "Progress",
    "SessionSettings",
    "StageProgress",
    "jvm_ended",
    "open_session",
    "prepare",
    "read_bytes",
    "running",
    "spark_home",
    "stop_event_log",
    "text_of",
    "where_it_runs",
]

_LOG: Final = logging.getLogger("framework.spark")
# pyspark writes each error with a query context to stderr, as one line of JSON with Java's whole stack, before it
# raises the same error. Who catches it decides what is shown.
_CHATTER: Final = ("SQLQueryContextLogger", "DataFrameQueryContextLogger")
# pyspark notes these in os.environ for itself while a context is open.
_PYSPARKS_OWN: Final = ("SPARK_AUTH_SOCKET_TIMEOUT", "SPARK_BUFFER_SIZE")
_POLL_S: Final = 0.2
_EXIT_TIMEOUT_S: Final = 15
# How long a JVM that does not answer any more may take to end: some shutdown hooks of Spark's do.
_GONE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class StageProgress:
    """Running stages, and the tasks of the stages seen so far: done and all."""

    active: int
    completed: int
    total: int


Progress: TypeAlias = Callable[[StageProgress], None]


@dataclass(frozen=True, slots=True)
class Launch:
    """A JVM that is about to be started: every setting, what its environment changes, where its output goes.

    ``sealed``: these settings and no others, whatever the JVM itself finds.
    """

    settings: tuple[Setting, ...]
    environ: Mapping[str, str | None]
    log: Path | None = None
    archive: Path | None = None
    exit_timeout_s: float = _EXIT_TIMEOUT_S
    notice: Notice = field(default=_LOG.warning)
    sealed: bool = False


def spark_home() -> Path:
    """The Spark that belongs to the installed pyspark; a foreign ``SPARK_HOME`` would be another version."""
    return Path(pyspark.__file__).parent


@contextmanager
def open_session(
    settings: SessionSettings, progress: Progress | None = None, *, notice: Notice = _LOG.warning
) -> Iterator[SparkSession]:
    """A session for the length of the block; afterwards its JVM is gone and the environment is as before.

    One at a time per process. Inside a driver that ``spark-submit`` started, its JVM is used and left running.
    ``progress`` is called from a thread of its own, about five times a second while stages run. ``notice`` hears what
    a person should know: that the archive is being built, or was ignored.

    Raises: SetupError when there is no fitting Java, a session is already open, or the JVM does not start.
    """
    launch = prepare(settings, os.environ, notice=notice)
    with ExitStack() as undo:
        try:
            session = undo.enter_context(running(launch, progress))
        except SetupError:
            if launch.archive is None:
                raise
            # A damaged archive can keep the JVM from starting at all. Without one it is slower, not broken.
            report_ignored(launch.archive, notice=notice)
            plain = prepare(replace(settings, archive_dir=None), os.environ, notice=_told_already)
            session = undo.enter_context(running(plain, progress))
        yield session


def _told_already(_: str) -> None:
    pass


def prepare(settings: SessionSettings, environ: Mapping[str, str], *, notice: Notice = _LOG.warning) -> Launch:
    """Everything decided before the JVM starts; builds the class-data archive where there is none.

    Raises: SetupError, ConfigError.
    """
    submitted = submit_conf(environ, spark_home())
    known = {s.key: s.value for s in effective_settings(settings, submit=submitted)}
    if unheard := left_out(settings, submitted):
        notice(f"Spark settings of the image that are the platform's to make are left out: {clip(', '.join(unheard))}")
    if "PYSPARK_GATEWAY_PORT" in environ and not settings.platform:
        return Launch(effective_settings(settings, submit=submitted), {}, notice=notice)
    java = find_java(environ)
    for line in java.skipped:
        notice(f"{line}; Java {java.version} from {java.source} is used")
    archive = _archive(settings, java, known, notice)
    options = (*(archive_options(archive) if archive else ()), *tuned(known, short_job=settings.short_job))
    changes = _environment(java, environ, known["spark.master"])
    return Launch(
        effective_settings(settings, submit=submitted, java_options=options),
        {**changes, **OTHERS_GATEWAY} if settings.platform else changes,
        log=settings.log,
        archive=archive,
        notice=notice,
        sealed=bool(settings.platform),
    )


def _archive(settings: SessionSettings, java: Java, conf: Mapping[str, str], notice: Notice) -> Path | None:
    if settings.archive_dir is None:
        return None
    class_path = conf.get("spark.driver.extraClassPath", "")
    wanted = fingerprint(java, spark_home(), class_path=class_path, heap=conf.get("spark.driver.memory", ""))
    return ensure_archive(settings.archive_dir, wanted, class_path=class_path, notice=notice)


def _environment(java: Java, environ: Mapping[str, str], master: str) -> dict[str, str | None]:
    """What the child JVM's environment has besides ours."""
    changes: dict[str, str | None] = {
        "JAVA_HOME": str(java.home),
        "SPARK_HOME": str(spark_home()),
        "PYSPARK_SUBMIT_ARGS": submit_arguments(environ).command_line(),
        "SPARK_LAUNCHER_OPTS": " ".join(SHORT_JOB),
        # Classic Spark, whatever a notebook left behind.
        "SPARK_REMOTE": None,
        "SPARK_CONNECT_MODE_ENABLED": None,
    }
    if is_local(master):
        changes |= {
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_HOSTNAME": "localhost",
            # Python workers of UDFs: this interpreter, and all that it can import.
            "PYSPARK_PYTHON": environ.get("PYSPARK_PYTHON", sys.executable),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
    return changes


@contextmanager
def running(launch: Launch, progress: Progress | None = None) -> Iterator[SparkSession]:
    """The session of ``launch``, which ends with its JVM. Raises: SetupError."""
    if SparkContext._active_spark_context is not None:  # noqa: SLF001 pyspark has no public question for this
        raise SetupError(
            "a Spark session is already open in this process",
            next_step="use that one, or close it first: a process has one JVM",
        )
    with ExitStack() as undo:
        undo.enter_context(kept())
        interrupts = undo.enter_context(watched())
        gateway = _gateway(launch, undo)
        _check_archive(launch, gateway)
        undo.callback(put, {name: os.environ.get(name) for name in _PYSPARKS_OWN})
        context = _context(launch, gateway)
        interrupts.hear()  # at once: the last thing that a context's start does is to take SIGINT
        undo.callback(_stop, context, interrupts)
        session = _session(launch, context)
        undo.callback(_stop, session, interrupts)
        for name in _CHATTER:
            logger = PySparkLogger.getLogger(name)
            undo.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL + 1)
        if progress is not None:
            undo.enter_context(_watched(session.sparkContext, progress))
        yield session


def _gateway(launch: Launch, undo: ExitStack) -> JavaGateway:
    output: IO[bytes] | None = None
    if launch.log is not None:
        launch.log.parent.mkdir(parents=True, exist_ok=True)
        output = undo.enter_context(launch.log.open("ab"))
    warm = threading.Thread(target=_import_early, name="teamspark-imports")
    warm.start()
    changes = {**launch.environ, **own_file(undo)} if launch.sealed else launch.environ
    try:
        gateway = connected(Start(_conf(launch), changes, output, launch.exit_timeout_s), undo)
    except (PySparkException, Py4JError, OSError) as error:
        raise _no_jvm(launch, error) from error
    finally:
        warm.join()
    if gateway.proc is not None:
        undo.callback(_forget, gateway)
    if launch.sealed:
        cleared(gateway, [setting.key for setting in launch.settings])
    return gateway


def _conf(launch: Launch) -> SparkConf:
    conf = SparkConf(loadDefaults=False)
    return conf.setAll([(setting.key, setting.value) for setting in launch.settings])


def _context(launch: Launch, gateway: JavaGateway) -> SparkContext:
    try:
        with environ(launch.environ), _unwarned():  # a start that fails is stopped by pyspark, and told by us
            return SparkContext(conf=_conf(launch), gateway=gateway)
    except (PySparkException, Py4JError, OSError) as error:
        raise _no_jvm(launch, error) from error


def _session(launch: Launch, context: SparkContext) -> SparkSession:
    try:
        return SparkSession(context)
    except (PySparkException, Py4JError, OSError) as error:  # its JVM may end while it waits for executors
        raise _no_jvm(launch, error) from error


def _no_jvm(launch: Launch, error: Exception) -> TeamsparkError:
    conf = {setting.key: setting.shown for setting in launch.settings}
    said = text_of(error)
    where = _where(conf.get("spark.master"))
    # Where executors were refused it is about to end, and meanwhile says anything at all.
    doubted = where == "cluster" or AWAY.search(said) or not isinstance(error, Py4JJavaError)
    found = diagnose(Evidence(jvm=jvm_ended(within_s=_GONE_S if doubted else 0), error=said, where=where))
    if found is not None:
        kind = RunLost if found.again else SetupError
        return kind(f"Spark did not start: {found.cause}", where=launch.log, got=found.seen, next_step=found.change)
    return SetupError(
        "Spark did not start",
        where=launch.log,
        got=clip(" ".join(said.strip().splitlines()[:2]) or type(error).__name__),
        details=[f"{key} = {conf[key]}" for key in ("spark.master", "spark.driver.memory") if key in conf],
        next_step="read what the JVM printed; teamspark doctor checks Java and memory",
    )


def _import_early() -> None:
    """py4j's converters import this (and pandas, where there is one) at the first call: 0.3 s that the JVM's start hides."""
    with warnings.catch_warnings():
        # pyspark 4.2 warns about every pandas 3; nothing here uses pandas through it.
        warnings.filterwarnings("ignore", category=FutureWarning, message="PySpark does not yet fully support pandas")
        import pyspark.testing.utils  # noqa: F401


def _check_archive(launch: Launch, gateway: Any) -> None:
    process: subprocess.Popen[bytes] | None = gateway.proc
    if launch.archive is not None and process is not None and is_mapped(process.pid, launch.archive) is False:
        report_ignored(launch.archive, notice=launch.notice)


def _forget(gateway: JavaGateway) -> None:
    """The JVM that we started is about to end: without this the next session would talk to a dead one."""
    with suppress(Py4JError, OSError):  # it may be gone already
        gateway.shutdown()
    SparkContext._gateway = None  # noqa: SLF001 pyspark keeps it for the process's next context
    SparkContext._jvm = None  # noqa: SLF001 as above


def read_bytes(session: SparkSession, uri: str) -> bytes:
    """The small file ``uri``, read by the session's own file system and identity: Spark reads no name with a ``_``.

    Raises: Py4JError when it is not there or cannot be read.
    """
    jvm: Any = session._jvm  # noqa: SLF001 Spark has no other way to a file that it hides
    path = jvm.org.apache.hadoop.fs.Path(uri)
    stream = path.getFileSystem(session._jsc.hadoopConfiguration()).open(path)  # noqa: SLF001
    try:
        data: bytes = jvm.org.apache.commons.io.IOUtils.toByteArray(stream)
        return data
    finally:
        stream.close()


def stop_event_log(session: SparkSession) -> None:
    """No more events from now on; what was logged stays. From any thread, and of a JVM that is going away too."""
    with suppress(Py4JError, OSError):
        context: Any = session._jsc.sc()  # noqa: SLF001 Spark logs all of a session or nothing
        logger = context.eventLogger()
        if logger.isDefined():
            context.listenerBus().removeListener(logger.get())


def where_it_runs() -> Where | None:
    """Whether all of this process's Spark is on this machine; None without a session."""
    context = SparkContext._active_spark_context  # noqa: SLF001 also when its JVM is gone, and pyspark asks that
    return None if context is None else _where(context.master)


def _where(master: str | None) -> Where | None:
    return None if master is None else "machine" if is_local(master) else "cluster"


def text_of(error: BaseException) -> str:
    """What it says; nothing where that is asked of a JVM which is gone."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001  whatever py4j makes of a connection that is not there
        return ""


def jvm_ended(*, within_s: float) -> int | None:
    """How the JVM of this process's session ended, as ``subprocess`` tells it; None if it lives after that time, or is not ours."""
    gateway: Any = SparkContext._gateway  # noqa: SLF001 pyspark tells nobody
    process: subprocess.Popen[bytes] | None = getattr(gateway, "proc", None)
    if process is None:
        return None
    with suppress(subprocess.TimeoutExpired):
        process.wait(within_s)
    return process.poll()


def _stop(spark: SparkContext | SparkSession, interrupts: Interrupts) -> None:
    """A JVM that is gone is not stopped: whoever used it has heard of that already."""
    gone = interrupts.came.is_set() or jvm_ended(within_s=0) is not None
    try:
        with _unwarned() if gone else nullcontext():
            spark.stop()
    except (Py4JError, OSError):
        if not gone and jvm_ended(within_s=_GONE_S) is None:
            raise


@contextmanager
def _unwarned() -> Iterator[None]:
    """Without pyspark's warning that its JVM did not answer when it was stopped: here that is no news."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, message="Unable to cleanly shutdown Spark JVM")
        yield


@contextmanager
def _watched(context: SparkContext, progress: Progress) -> Iterator[None]:
    done = threading.Event()
    watcher = threading.Thread(target=_watch, args=(context, progress, done), name="teamspark-progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join(timeout=5)


def _watch(context: SparkContext, progress: Progress, done: threading.Event) -> None:
    tracker = context.statusTracker()
    seen: dict[int, tuple[int, int]] = {}
    told: StageProgress | None = None
    while not done.wait(_POLL_S):
        try:
            active = tracker.getActiveStageIds()
            unfinished = {stage for stage, (done_tasks, tasks) in seen.items() if done_tasks < tasks}
            infos = {stage: tracker.getStageInfo(stage) for stage in {*active, *unfinished}}
        except (Py4JError, OSError):
            return  # the JVM is going away: there is nothing left to watch
        seen |= {stage: (info.numCompletedTasks, info.numTasks) for stage, info in infos.items() if info is not None}
        now = StageProgress(len(active), sum(n[0] for n in seen.values()), sum(n[1] for n in seen.values()))
        if now != told and seen:
            told = now
            progress(now)

"""Executing a prepared run on this machine, and comparing what it published with a case's expected rows."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from framework.cli.asking import Prepared
from framework.cli.progress import Bar
from framework.config import ExportedConfig, RunResult
from framework.container.laptop import Command, locally, own_environment, require_command, workspace_layout
from framework.container.steps import Around
from framework.driver import who
from framework.errors import CheckFailed, ConfigError, TeamsparkError
from framework.runner import RunOptions, execute
from framework.runner.events import Recorder
from framework.runner.stopwatch import Stopwatch
from framework.runner.stores import endpoints, jar_sets
from framework.spark.archive import archive_home
from framework.spark.settings import SessionSettings
from framework.spark.stores import Extra, StoreAccess, store_access
from framework.storage.base import Store
from framework.storage.oserrors import translated
from framework.storage.publish import Published, RunLog
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOGS: Final = ".teamspark/logs"


@dataclass(frozen=True, slots=True)
class Compared:
    """A case's verdict: ``differences`` by output, or the checks that failed as the case says they do."""

    differences: dict[str, str]
    failed_as_told: dict[str, int] | None = None

    def to_json(self) -> dict[str, Any]:
        return {"same": not self.differences, "differences": self.differences, "failed_checks": self.failed_as_told}


def session_settings(config: ExportedConfig, workspace: Path, *, quick: bool) -> SessionSettings:
    """What the session of a run here is asked for. ``quick``: its data is tiny, so starting counts most."""
    return SessionSettings(
        app_name=str(config.key),
        conf=config.spark_conf,
        archive_dir=archive_home(),
        short_job=quick,
        log=workspace / LOGS / f"{config.epoch.incarnation}.log",
    )


def run_here(prepared: Prepared, world: World, workspace: Path, bar: Bar) -> RunResult:
    """Run it, and publish below the world's private store. Spark's own log stays only if the run fails.

    Raises: every leaf of TeamsparkError.
    """
    if prepared.request.contract.container:
        return _run_program(prepared, world, workspace, bar)
    settings = session_settings(prepared.request.config, workspace, quick=bool(prepared.request.fixtures))
    assert settings.log is not None
    access = partial(store_access, endpoints(prepared.request, world), jars=jar_sets(prepared.request))
    recorder = Recorder(prepared.request.config, world, tell=bar.notice)
    options = RunOptions(session=partial(_open, settings, access, bar, recorder), who=who(), observe=bar.phase)
    try:
        result = recorder.told_in(execute(prepared.request, prepared.job, world, options))
    except TeamsparkError:
        if _holds_something(settings.log):
            bar.notice(f"Spark's log: {settings.log}")
        raise
    except KeyboardInterrupt:
        settings.log.unlink(missing_ok=True)
        raise
    settings.log.unlink(missing_ok=True)
    return result


def _run_program(prepared: Prepared, world: World, workspace: Path, bar: Bar) -> RunResult:
    """A Contract's command, between the two steps of any container. Raises: ConfigError where there is none."""
    words = require_command(prepared.command, where=prepared.request.contract.job, image=None)
    command = Command(words, workspace, own_environment("copy"))
    with workspace_layout() as layout:
        return locally(Around(prepared.request, world, layout, "copy", who(), Stopwatch(bar.phase)), command)


def _open(
    settings: SessionSettings, access: Callable[..., StoreAccess], bar: Bar, recorder: Recorder, extra: Extra
) -> AbstractContextManager["SparkSession"]:
    # Only now: a run that cannot be planned must not pay for Spark's import.
    from framework.spark.session import open_session

    if settings.log is not None:
        _require_writable(settings.log)
    settings = replace(settings, stores=access(extra, notice=bar.notice))
    return recorder.session(settings, lambda logged: open_session(logged, bar.stages, notice=bar.notice))


def _require_writable(log: Path) -> None:
    """Raises: StoreUnavailable, SetupError: without its log nobody could say why a JVM did not start."""
    with translated(str(log.parent), what="the place of Spark's log"):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()


def _holds_something(log: Path) -> bool:
    try:
        return log.stat().st_size > 0
    except OSError:
        return False  # not there, or not to be seen


def published_by(config: ExportedConfig, store: Store) -> Published | None:
    """What the run of ``config`` has published, however it ended."""
    return RunLog(store, config.key).finished(config.epoch, config.clear_number)


def told_of(published: Published | None) -> str:
    """That, in words."""
    if published is None:
        return "nothing was published"
    return f"it had published: {published.key} attempt {published.number}"


def compare(prepared: Prepared, run: Callable[[], RunResult], store: Store) -> tuple[RunResult | None, Compared | None]:
    """Run a case, and compare. Without a case: run.

    Raises: what ``run`` raises, but for the checks that the case says will fail.
    """
    case = prepared.case
    if case is None:
        return run(), None
    expected = dict(case.settings.fails)
    try:
        result = run()
    except CheckFailed as error:
        if not expected:
            raise
        return None, Compared(
            {} if error.failed == expected else {"checks": _other_checks(expected, error.failed)}, error.failed
        )
    if expected:
        return result, Compared({"checks": _other_checks(expected, {})})
    return result, Compared(dict(_differences(prepared, store, result)))


def _other_checks(expected: dict[str, int], found: dict[str, int]) -> str:
    return f"expected checks to fail: {expected}; failed: {found or 'none'}"


def _differences(prepared: Prepared, store: Store, result: RunResult) -> list[tuple[str, str]]:
    from framework.testing.cases import assert_same_files, stated_rows
    from framework.testing.compare import assert_rows

    case, signature = prepared.case, prepared.signature
    assert case is not None
    assert result.attempt is not None
    published = RunLog(store, result.key).published(result.attempt)
    assert published is not None, "execute has returned"
    found = []
    for name, path in case.outputs.items():
        port = signature.contract.output(name)
        try:
            if port.files:
                assert_same_files(path, published, store, port.name)
                continue
            rows = read_rows([store.uri(one) for one in published.paths(name)])
            assert_rows(rows, stated_rows(path, signature.outputs[port.name]))
        except AssertionError as error:
            found.append((name, str(error)))
    return found


def read_rows(uris: list[str]) -> list[dict[str, Any]]:
    """Rows of small Parquet files, without Spark. Raises: ConfigError for a store that is not a directory."""
    from pyarrow import parquet

    rows: list[dict[str, Any]] = []
    for uri in uris:
        if not uri.startswith("file://"):
            raise ConfigError("only files of this machine can be compared", got=uri)
        rows += parquet.read_table(uri.removeprefix("file://"), partitioning=None).to_pylist(maps_as_pydicts="strict")
    return rows

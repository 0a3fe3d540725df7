"""The process that a launcher starts: reads an exported configuration, runs the job, leaves a result.

    python -m framework.driver --config FILE --result FILE [--connections FILE]

Exit codes: 0 published (also when superseded by a newer attempt), 64 wrong configuration, 65 final error,
74 retryable error, 75 an input is not published yet, 130 interrupted. The result file says the same, in JSON, and appears
whole or not; an interrupted run leaves none.
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from framework.config import ExportedConfig, RunResult
from framework.connections import NONE, Connections, read_connections
from framework.errors import TeamsparkError
from framework.job import build_job, contract_of, load_job
from framework.plan import PlanRequest
from framework.report import failed, lines
from framework.runner import RunOptions, execute
from framework.sparkconf import require_allowed
from framework.storage.selftest import self_test
from framework.tenancy.kept import load_last_whole
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from framework.spark.stores import Extra


def main(argv: Sequence[str] | None = None) -> int:
    """Run one exported configuration; the exit code."""
    arguments = _arguments().parse_args(argv)
    try:
        config = ExportedConfig.parse_json(arguments.config.read_bytes(), where=str(arguments.config))
    except TeamsparkError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        result, code = run_exported(config, _taken(arguments.connections)), 0
    except TeamsparkError as error:
        result, code = failed(config, error), error.exit_code
    except KeyboardInterrupt:
        # No result: whoever waits for one takes the run for lost, which is what it is.
        print("interrupted", file=sys.stderr)
        return 130
    _leave(result, arguments.result)
    print("\n".join(lines(result)), file=sys.stderr if code else sys.stdout)
    return code


def run_exported(config: ExportedConfig, connections: Connections = NONE) -> RunResult:
    """Run ``config`` against the world its workspace describes. Raises: every leaf of TeamsparkError."""
    # Whoever wrote the file may have asked nobody.
    require_allowed(config.spark_conf, where=str(config.key))
    workspace = Path(config.workspace)
    folder = Path(config.team_files) if config.team_files else None
    teams = load_last_whole(workspace, folder, lambda told: print(told, file=sys.stderr))
    world = replace(World.of_teams(teams), connections=connections)
    job_class = load_job(config.job)
    job = build_job(job_class, config.parameters)
    self_test(world.output_store(config.key.team))
    request = PlanRequest(config, contract_of(job_class))
    options = RunOptions(session=partial(_session, request, world), who=who())
    return execute(request, job, world, options)


def who() -> str:
    """Host and process, for people reading a claim."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _session(request: PlanRequest, world: World, extra: "Extra") -> AbstractContextManager["SparkSession"]:
    # Only now: a run that waits for an input must not pay for Spark's import.
    from framework.runner.stores import endpoints, jar_sets
    from framework.spark.archive import archive_home
    from framework.spark.session import open_session
    from framework.spark.settings import SessionSettings
    from framework.spark.stores import store_access

    config = request.config
    settings = SessionSettings(
        app_name=str(config.key),
        conf=config.spark_conf,
        archive_dir=archive_home(),
        short_job=config.short_job,
        stores=store_access(endpoints(request, world), extra, jars=jar_sets(request)),
    )
    return open_session(settings)


def _taken(path: Path | None) -> Connections:
    """What was handed over. Its file goes once it is read; where it is mounted from elsewhere, its owner removes it."""
    if path is None:
        return NONE
    found = read_connections(path)
    with suppress(OSError):
        path.unlink()
    return found


def _leave(result: RunResult, path: Path) -> None:
    whole = path.with_name(f".{path.name}.{os.getpid()}")
    whole.write_bytes(result.message_bytes())
    whole.replace(path)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m framework.driver", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the exported configuration")
    parser.add_argument("--result", type=Path, required=True, help="where the result is left")
    parser.add_argument("--connections", type=Path, help="secrets for this run, in a file that only its owner can read")
    return parser


if __name__ == "__main__":
    sys.exit(main())

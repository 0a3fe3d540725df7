"""The process that a launcher starts: reads an exported configuration, runs the job, leaves a result.

    python -m framework.driver --config FILE --result FILE

Exit codes: 0 published (also when superseded by a newer attempt), 64 wrong configuration, 65 final error,
74 retryable error, 75 an input is not published yet, 130 interrupted. The result file says the same, in JSON, and appears
whole or not; an interrupted run leaves none.
"""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from framework.config import ExportedConfig, RunResult
from framework.errors import TeamsparkError
from framework.job import build_job, contract_of, load_job
from framework.plan import PlanRequest
from framework.report import failed, lines
from framework.runner import RunOptions, execute
from framework.sparkconf import require_allowed
from framework.storage.selftest import self_test
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
        result, code = run_exported(config), 0
    except TeamsparkError as error:
        result, code = failed(config, error), error.exit_code
    except KeyboardInterrupt:
        # No result: whoever waits for one takes the run for lost, which is what it is.
        print("interrupted", file=sys.stderr)
        return 130
    _leave(result, arguments.result)
    print("\n".join(lines(result)), file=sys.stderr if code else sys.stdout)
    return code


def run_exported(config: ExportedConfig) -> RunResult:
    """Run ``config`` against the world its workspace describes. Raises: every leaf of TeamsparkError."""
    # Whoever wrote the file may have asked nobody.
    require_allowed(config.spark_conf, where=str(config.key))
    workspace = Path(config.workspace)
    world = World.of(workspace, Path(config.team_files) if config.team_files else None)
    job_class = load_job(config.job)
    job = build_job(job_class, config.parameters)
    self_test(world.output_store(config.key.team))
    options = RunOptions(session=partial(_session, config, world), who=who())
    return execute(PlanRequest(config, contract_of(job_class)), job, world, options)


def who() -> str:
    """Host and process, for people reading a claim."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _session(config: ExportedConfig, world: World, extra: "Extra") -> AbstractContextManager["SparkSession"]:
    # Only now: a run that waits for an input must not pay for Spark's import.
    from framework.runner.stores import endpoints
    from framework.spark.archive import archive_home
    from framework.spark.session import open_session
    from framework.spark.settings import SessionSettings
    from framework.spark.stores import store_access

    settings = SessionSettings(
        app_name=str(config.key),
        conf=config.spark_conf,
        archive_dir=archive_home(),
        short_job=config.short_job,
        stores=store_access(endpoints(config, world), extra),
    )
    return open_session(settings)


def _leave(result: RunResult, path: Path) -> None:
    whole = path.with_name(f".{path.name}.{os.getpid()}")
    whole.write_bytes(result.message_bytes())
    whole.replace(path)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m framework.driver", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the exported configuration")
    parser.add_argument("--result", type=Path, required=True, help="where the result is left")
    return parser


if __name__ == "__main__":
    sys.exit(main())

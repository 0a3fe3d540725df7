"""The process that a launcher starts: reads an exported configuration, runs the job, leaves a result.

    python -m framework.driver --config FILE --result FILE [--connections FILE] [--platform FILE]

Exit codes: 0 published (also when superseded by a newer attempt), 64 wrong configuration, 65 final error,
74 retryable error, 75 an input is not published yet, 130 interrupted. The result file says the same, in JSON, and appears
whole or not; an interrupted run leaves none.
"""

import argparse
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from framework.config import ExportedConfig, RunResult
from framework.connections import NONE, Connections, read_connections
from framework.errors import ConfigError, TeamsparkError, clip
from framework.job import build_job, contract_of
from framework.job.shipped import load_shipped
from framework.plan import PlanRequest
from framework.report import failed, lines
from framework.runner import RunOptions, execute
from framework.runner.events import Recorder
from framework.sparkconf import require_allowed
from framework.storage.selftest import require_tested
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
        platform = platform_settings(arguments.platform, os.environ)
        result, code = run_exported(config, taken(arguments.connections), platform), 0
    except TeamsparkError as error:
        result, code = failed(config, error), error.exit_code
    except KeyboardInterrupt:
        # No result: whoever waits for one takes the run for lost, which is what it is.
        print("interrupted", file=sys.stderr)
        return 130
    leave(result, arguments.result)
    print("\n".join(lines(result)), file=sys.stderr if code else sys.stdout)
    return code


def run_exported(
    config: ExportedConfig, connections: Connections = NONE, platform: Mapping[str, str] | None = None
) -> RunResult:
    """Run ``config`` against the world its workspace describes. ``platform``: Spark's settings where it is launched.

    Raises: every leaf of TeamsparkError.
    """
    # Whoever wrote the file may have asked nobody.
    require_allowed(config.spark_conf, where=str(config.key))
    world = world_of(config, connections)
    job_class = load_shipped(config.job, config.key.team, image=config.code.image, digest=config.code.digest)
    job = build_job(job_class, config.parameters)
    require_tested(world.output_store(config.key.team), config.key.team, datetime.now(UTC).date())
    request = PlanRequest(config, contract_of(job_class))
    recorder = Recorder(config, world, tell=print)
    options = RunOptions(session=partial(_session, request, recorder, platform or {}), who=who())
    return recorder.told_in(execute(request, job, world, options))


def world_of(config: ExportedConfig, connections: Connections) -> World:
    """What ``config``'s workspace describes, by the team files that were whole last. Raises: ConfigError."""
    folder = Path(config.team_files) if config.team_files else None
    teams = load_last_whole(Path(config.workspace), folder, lambda told: print(told, file=sys.stderr))
    return replace(World.of_teams(teams), connections=connections)


def who() -> str:
    """Host and process, for people reading a claim."""
    return f"{socket.gethostname()}:{os.getpid()}"


def platform_settings(path: Path | None, environ: Mapping[str, str]) -> dict[str, str]:
    """The file's settings, a JSON object of texts, and the address of the pod that this runs in. Raises: ConfigError."""
    if path is None:
        return {}
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError("not a file of Spark settings", where=str(path), got=clip(str(error))) from error
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ConfigError("not a file of Spark settings", where=str(path), expected="a JSON object of texts")
    address = environ.get("POD_IP")
    return found | ({"spark.driver.host": address, "spark.driver.bindAddress": address} if address else {})


def _session(
    request: PlanRequest, recorder: Recorder, platform: Mapping[str, str], extra: "Extra"
) -> AbstractContextManager["SparkSession"]:
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
        platform=platform,
        archive_dir=archive_home(),
        short_job=config.short_job,
        stores=store_access(endpoints(request, recorder.world), extra, jars=jar_sets(request)),
    )
    return recorder.session(settings, open_session)


def taken(path: Path | None) -> Connections:
    """What was handed over. Its file goes once it is read; where it is mounted from elsewhere, its owner removes it."""
    if path is None:
        return NONE
    found = read_connections(path)
    with suppress(OSError):
        path.unlink()
    return found


def leave(result: RunResult, path: Path) -> None:
    """Write the result where whoever started this process looks for it."""
    if path.exists():  # made by whoever reads it once this process has ended; it cannot be replaced
        path.write_bytes(result.message_bytes())
        return
    whole = path.with_name(f".{path.name}.{os.getpid()}")
    whole.write_bytes(result.message_bytes())
    whole.replace(path)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m framework.driver", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="the exported configuration")
    parser.add_argument("--result", type=Path, required=True, help="where the result is left")
    parser.add_argument("--connections", type=Path, help="secrets for this run, in a file that only its owner can read")
    parser.add_argument("--platform", type=Path, help="Spark settings of where this runs, which nobody overrides")
    return parser


if __name__ == "__main__":
    sys.exit(main())

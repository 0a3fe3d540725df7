"""One step of a run of another image, or all of them on one machine. What launchers start.

    python -m framework.container prepare|publish|local --config FILE --result FILE [--connections FILE]

Exit codes as of ``framework.driver``; besides, ``prepare`` ends with ``DONE`` when the run has published already, so that the program
is not started again. The result file is written by a step that ends the run.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from framework.config import DataMode, ExportedConfig, RunResult
from framework.container.contract import fulfilled
from framework.container.laptop import Command, here, locally, own_environment, require_command, workspace_layout
from framework.container.layout import DONE, POD, ROOM_VARIABLE, Layout
from framework.container.steps import Around
from framework.driver import leave, taken, who, world_of
from framework.errors import TeamsparkError
from framework.plan import PlanRequest
from framework.report import failed, lines
from framework.storage.selftest import require_tested
from framework.world import World


def main(argv: Sequence[str] | None = None) -> int:
    """Run one step; the exit code."""
    arguments = _arguments().parse_args(argv)
    try:
        config = ExportedConfig.parse_json(arguments.config.read_bytes(), where=str(arguments.config))
    except TeamsparkError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    try:
        result, code = _STEPS[arguments.step](config, world_of(config, taken(arguments.connections))), 0
    except TeamsparkError as error:
        result, code = failed(config, error), error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    if result is None:
        return 0
    leave(result, arguments.result)
    print("\n".join(lines(result)), file=sys.stderr if code else sys.stdout)
    return DONE if arguments.step == "prepare" and code == 0 else code


def _around(config: ExportedConfig, world: World, layout: Layout, data: DataMode) -> Around:
    found = fulfilled(config)
    if found.job is not None:  # with what its class says where the task says nothing
        config = config.model_copy(update={"parameters": found.job.model_dump(mode="json")})
    request = PlanRequest(config, found.contract)
    return Around(request, world, layout, data, who(), room=_room(os.environ))


def _room(environ: Mapping[str, str]) -> int | None:
    told = environ.get(ROOM_VARIABLE, "")
    return int(told) if told.isdecimal() else None


def data_of(config: ExportedConfig, world: World) -> DataMode:
    """How this run is given data: as the task says, else by what the team's store is."""
    asked = config.container.data if config.container else None
    if asked is not None:
        return asked
    return "copy" if world.output_store(config.key.team).access.bucket else "volume"


def _prepare(config: ExportedConfig, world: World) -> RunResult | None:
    require_tested(world.output_store(config.key.team), config.key.team, datetime.now(UTC).date())
    return _around(config, world, POD, data_of(config, world)).prepare()


def _publish(config: ExportedConfig, world: World) -> RunResult | None:
    return _around(config, world, POD, data_of(config, world)).publish()


def _local(config: ExportedConfig, world: World) -> RunResult | None:
    assert config.container is not None, "fulfilled asks for it"
    words = require_command(config.container.command, where=str(config.key), image=config.container.image)
    data = here(data_of(config, world))
    command = Command(words, Path(config.workspace), own_environment(data))
    with workspace_layout() as layout:
        return locally(_around(config, world, layout, data), command)


_STEPS: Final[dict[str, Callable[[ExportedConfig, World], RunResult | None]]] = {
    "prepare": _prepare,
    "publish": _publish,
    "local": _local,
}


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="framework.container")
    parser.add_argument("step", choices=sorted(_STEPS))
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--result", type=Path, required=True)
    parser.add_argument("--connections", type=Path)
    return parser

"""Finding the local Airflow that another process of ours keeps running: where it listens is a file in its home."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from airflow_bindings.local.secrets import load_or_make
from airflow_bindings.local.settings import AirflowStack
from airflow_bindings.local.supervisor import Running
from framework.errors import SetupError
from framework.launch.local_runner import write
from framework.servers.processes import in_use


@contextmanager
def findable(live: Running) -> Iterator[None]:
    """While the block runs, ``kept`` finds this Airflow."""
    place = _place(live.stack)
    write(place, json.dumps({"port": live.stack.port, "teams": live.stack.teams, "settings": dict(live.stack.extra)}))
    try:
        yield
    finally:
        place.unlink(missing_ok=True)


def kept(stack: AirflowStack) -> Running | None:
    """The Airflow with the home of ``stack`` that another process keeps; None when there is none.

    Raises: SetupError when it is busy with something else, was started before one of the stack's teams was there, or with
    other settings.
    """
    if not in_use(stack.home):
        return None
    place = _place(stack)
    found = json.loads(place.read_text()) if place.is_file() else {}
    if not set(stack.teams) <= set(found.get("teams", ())):
        raise SetupError(
            "the local Airflow cannot be used now",
            where=str(stack.home),
            got="it knows the teams " + ", ".join(found["teams"]) if found else "it is starting, or runs the demo",
            next_step="wait until it is done, or stop it with Ctrl-C where it was started",
        )
    if found["settings"] != dict(stack.extra):
        raise SetupError(
            "the local Airflow runs with other settings",
            where=str(stack.home),
            details=[
                f"{name}: {found['settings'].get(name)}, not {value}"
                for name, value in stack.extra.items()
                if found["settings"].get(name) != value
            ],
            next_step="give the same --team-files, --store and --cache, or stop it with Ctrl-C where it was started",
        )
    secrets = load_or_make(stack.home, stack.users)
    return Running(replace(stack, port=found["port"]), secrets, (), datetime.now(UTC), kept_by_other=True)


def _place(stack: AirflowStack) -> Path:
    return stack.home / "kept.json"

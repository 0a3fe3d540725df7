"""The image that Airflow's workers run in, beside each team: Airflow, its packages and ours. No Java, and Spark's client only."""

from collections.abc import Iterable
from functools import partial
from importlib.metadata import EntryPoint, distribution, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from framework.errors import SetupError
from k8s.images.debian import HOME, USER
from k8s.images.kept import Part, ensure_part, images_home, locked, sweep
from k8s.images.oci import Settings
from k8s.images.parts import PACKAGES, Builder
from k8s.images.spark import Image, Place, written
from k8s.images.trees import compiled, content_digest, copied, readable, sources

AIRFLOW_HOME: Final = "/opt/airflow"
"""Where Airflow's own images have it. A container whose root is read-only mounts a folder here, and at ``/tmp``."""
ROOMS: Final = ("airflow_bindings", "k8s")
_BINARIES: Final = "/usr/local/bin"
SETTINGS: Final = Settings(
    env={
        "AIRFLOW_HOME": AIRFLOW_HOME,
        "HOME": f"{HOME}/work",
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",  # all of it is there
        "PYTHONUNBUFFERED": "1",  # what was printed before a kill is in the log
    },
    user=f"{USER}:{USER}",
    workdir=AIRFLOW_HOME,
    entrypoint=("/usr/bin/tini", "-s", "--"),
)
# What this repository's workspace holds besides code: teams' DAG files and facts come by bundles and mounts.
_SKIPPED: Final = ("dags", "teams")
_OFFERED: Final = ("airflow.policy", "teamspark.commands", "teamspark.layers")
_COMMANDS: Final = {"airflow": "airflow", "teamspark": "framework.cli"}


def build_airflow(builder: Builder, lock: Path, *, output: Path | None = None) -> Image:
    """``PREFIX/airflow:TAG`` of the packages in ``lock`` and our code, in ``output`` or where images are kept.

    Raises: SetupError for a tool that is missing or fails; ConfigError for a lock that cannot be read.
    """
    home = images_home(builder.environ)
    packages = builder.locked("airflow-packages", lock, SetupError)
    parts = (builder.debian(), packages, places(), commands(), builder.framework(), bindings())
    with locked(home):
        kept = [ensure_part(home, part, builder.notice) for part in parts]
        image = written(Place(output or home, f"{builder.prefix}/airflow"), kept, SETTINGS)
        sweep(home)
    return image


def places() -> Part:
    """The folders that a container may write, where its root may be written."""
    return Part("airflow-places", "/opt", ("1",), _places)


def commands() -> Part:
    """``airflow`` and ``teamspark``, and Python by the name that Airflow's executor calls it."""
    inputs = tuple(f"{name}={module}" for name, module in _COMMANDS.items())
    return Part("airflow-commands", _BINARIES, (*inputs, "1"), _commands)


def bindings() -> Part:
    """What of this repository a worker imports over ``framework``, and what Airflow and ``teamspark`` find by entry points."""
    roots = [(name, _root(name)) for name in ROOMS]
    digests = [content_digest(root, sources(root, _SKIPPED)) for _, root in roots]
    offered = "\n".join(f"{one.group} {one.name} = {one.value}" for one in _entry_points())
    return Part("bindings", PACKAGES, (*digests, offered, version("teamspark"), "1"), partial(_bindings, roots))


def _root(room: str) -> Path:
    spec = find_spec(room)
    assert spec is not None, "a room beside this one"
    return Path((spec.submodule_search_locations or [""])[0])


def _entry_points() -> list[EntryPoint]:
    found = distribution("teamspark").entry_points
    ours = [one for one in found if one.group in _OFFERED and one.module.split(".")[0] in ROOMS]
    return sorted(ours, key=lambda one: (one.group, one.name))


def _places(tree: Path) -> None:
    for name in (AIRFLOW_HOME, f"{HOME}/work"):
        place = tree / Path(name).relative_to("/opt")
        place.mkdir(parents=True)
        place.chmod(0o1777)


def _commands(tree: Path) -> None:
    (tree / "python").symlink_to("/usr/bin/python3")
    for name, module in _COMMANDS.items():
        (tree / name).write_text(f'#!/bin/sh\nexec python3 -m {module} "$@"\n')
        (tree / name).chmod(0o755)


def _bindings(roots: Iterable[tuple[str, Path]], tree: Path) -> None:
    for name, root in roots:
        copied(root, tree / name, sources(root, _SKIPPED))
    facts = tree / f"teamspark-{version('teamspark')}.dist-info"
    facts.mkdir()
    (facts / "entry_points.txt").write_text(_as_text(_entry_points()))
    readable(tree)
    compiled(tree, within=tree, at=PACKAGES)


def _as_text(points: Iterable[EntryPoint]) -> str:
    lines: list[str] = []
    for one in points:
        if f"[{one.group}]" not in lines:
            lines.append(f"[{one.group}]")
        lines.append(f"{one.name} = {one.value}")
    return "\n".join([*lines, ""])

"""``pytest --isolation``: every attack of every kit as a test of its own, and the matrix at the end."""

import os
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import pytest

from framework.errors import TeamsparkError
from framework.tenancy.layers import Site
from framework.testing.isolation import (
    Attack,
    Kit,
    Matrix,
    One,
    Outcome,
    Result,
    Unreachable,
    Wish,
    everything_of,
    outcome_of,
)

GROUP: Final = "teamspark.isolation"
_RESULTS: Final = pytest.StashKey[list[Result]]()
_KITS: Final = pytest.StashKey[list[Kit]]()
_ABSENT: Final = pytest.StashKey[dict[str, str]]()


def add_options(parser: pytest.Parser) -> None:
    group = parser.getgroup("isolation", "attacks on the walls between teams")
    group.addoption(
        "--isolation", action="store_true", help="attack the servers that the workspace names, and nothing else"
    )
    group.addoption("--isolation-workspace", default=".", help="the directory with k8s/teams/")
    group.addoption("--isolation-layer", action="append", default=[], help="only this layer; may be given again")
    group.addoption("--isolation-option", action="append", default=[], help="NAME=VALUE for a kit, as kubeconfig=FILE")


def collect(session: pytest.Session) -> list[pytest.Item]:
    """The attacks, wishes and witnesses of every kit that can be asked here."""
    config = session.config
    results, kits = config.stash.setdefault(_RESULTS, []), config.stash.setdefault(_KITS, [])
    absent = config.stash.setdefault(_ABSENT, {})
    parent = _Kits.from_parent(session, name="isolation", nodeid="isolation")
    items: list[pytest.Item] = []
    known = {entry.name for entry in entry_points(group=GROUP)}
    if unknown := set(config.getoption("--isolation-layer")) - known:
        raise pytest.UsageError(f"no such layer: {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    for name, entry in sorted((entry.name, entry) for entry in entry_points(group=GROUP)):
        if config.getoption("--isolation-layer") and name not in config.getoption("--isolation-layer"):
            continue
        try:
            kit: Kit = entry.load()(_site(config))
            deeds = everything_of(kit)
        except (Unreachable, ImportError, TeamsparkError) as error:
            absent[name] = str(error)
            continue
        kits.append(kit)
        items += [_Deed.from_parent(parent, name=_named(one), one=one, results=results) for one in deeds]
    return items


def _named(one: One) -> str:
    if isinstance(one, Attack):
        return str(one)
    return f"{one.layer}-{one.team}-wish-{one.name}" if isinstance(one, Wish) else f"{one.layer}-witness-{one.family}"


def _site(config: pytest.Config) -> Site:
    from framework.tenancy.load import find_workspace, load_teams

    workspace = find_workspace(Path(config.getoption("--isolation-workspace")))
    given = config.getoption("--isolation-option")
    if wrong := [one for one in given if "=" not in one]:
        raise pytest.UsageError(f"--isolation-option is NAME=VALUE, not {', '.join(wrong)}")
    options = dict(one.split("=", 1) for one in given)
    return Site(workspace, load_teams(workspace), dict(os.environ), options)


class _Kits(pytest.Collector):
    def collect(self) -> Iterator[pytest.Item]:
        return iter(())


class _Deed(pytest.Item):
    """One attack, wish or witness."""

    def __init__(self, *, one: One, results: list[Result], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._one, self._results = one, results

    def runtest(self) -> None:
        result = outcome_of(self._one)
        self._results.append(result)
        if not result.good:
            raise _Wrong(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> str:
        return str(excinfo.value)

    def reportinfo(self) -> tuple[Path, None, str]:
        return Path("isolation"), None, self.name


class _Wrong(Exception):
    def __init__(self, result: Result) -> None:
        breach = isinstance(result.of, Attack) and result.outcome is Outcome.worked
        super().__init__("a BREACH: it worked" if breach else f"{result.outcome}: {result.told}")


def clear(config: pytest.Config) -> None:
    """What the kits left goes, whatever came of them."""
    for kit in config.stash.get(_KITS, list[Kit]()):
        kit.clear()


def summarize(terminal: Any, config: pytest.Config) -> None:
    """The matrix."""
    gaps = [gap for kit in config.stash.setdefault(_KITS, []) for gap in kit.gaps()]
    results, absent = config.stash.setdefault(_RESULTS, []), config.stash.setdefault(_ABSENT, {})
    matrix = Matrix(results, gaps, absent)
    terminal.section("isolation: layer, attack, team")
    for line in lines_of(matrix):
        terminal.write_line(line)


def lines_of(matrix: Matrix) -> Iterator[str]:
    """The matrix as text."""
    for layer, family, team, counted, witness in matrix.rows():
        yield f"{layer:<11} {family:<28} {team:<12} {counted:<28} {witness}"
    for layer, team, counted in matrix.wishes():
        yield f"{layer:<11} {'(what it needs)':<28} {team:<12} {counted} granted"
    yield from (f"{layer:<11} not asked: {' '.join(why.split())}" for layer, why in matrix.absent.items())
    yield from (f"{gap.layer:<11} no wall: {gap.what}; {gap.instead}" for gap in matrix.gaps)
    yield from (f"no witness worked: {one}" for one in matrix.unwitnessed())

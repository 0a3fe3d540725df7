"""Reading team files: every mistake of every file at once, each with its file and line."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from framework.errors import ConfigError
from framework.records import Place, mistakes, real_errors
from framework.tenancy.model import TEAM_FILES, Team, Teams
from framework.tenancy.names import skeleton
from framework.tenancy.overlaps import overlaps
from framework.tenancy.places import StoreKind
from framework.textfile import read_text


def find_workspace(start: Path) -> Path:
    """The nearest directory at or above ``start`` that holds ``k8s/teams``.

    Raises: ConfigError.
    """
    for place in (start.resolve(), *start.resolve().parents):
        if (place / TEAM_FILES).is_dir():
            return place
    raise ConfigError(
        "no workspace here",
        where=str(start),
        expected=f"a directory with {TEAM_FILES}/, here or above",
        next_step="go there, or name it with --workspace",
    )


def load_teams(workspace: Path, folder: Path | None = None) -> Teams:
    """All team files of ``workspace``, or those in ``folder``: on a cluster they are mounted apart from the code.

    Raises: ConfigError listing every mistake as ``file:line: place: what``.
    """
    place = workspace / TEAM_FILES if folder is None else folder
    files = sorted(place.glob("*.yaml"))
    misnamed = [f"{path.name}:1: team files end in .yaml" for path in sorted(place.glob("*.yml"))]
    if folder is not None and not files:
        raise ConfigError("no team files here", where=str(folder), expected="a directory with <team>.yaml files")
    read = [_read(path) for path in files]
    wrong = [*misnamed, *(line for _, lines in read for line in lines), *_alike(files)]
    wrong += [f"{team}.yaml:1: {key}: {what}" for team, key, what in overlaps(team for team, _ in read if team)]
    if wrong:
        raise ConfigError(
            f"{len(wrong)} mistake(s) in the team files",
            where=str(place),
            details=wrong,
            next_step="mend them; no team's settings change until all files are right",
        )
    by_name = {team.team: team for team, _ in read if team}
    return Teams(workspace.resolve(), by_name, TEAM_FILES if folder is None else str(folder))


def _alike(files: Iterable[Path]) -> Iterator[str]:
    """Files whose teams a reader may take for each other."""
    looks: dict[str, Path] = {}
    for path in files:
        other = looks.setdefault(skeleton(path.stem), path)
        if other is not path:
            yield f"{path.name}:1: team: '{path.stem}' is taken for '{other.stem}' too easily"


def _read(path: Path) -> tuple[Team | None, list[str]]:
    try:
        text = read_text(path)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines = _lines(node)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        return None, [f"{path.name}:{_line_of(error)}: not YAML: {getattr(error, 'problem', None) or error}"]
    except RecursionError:
        return None, [f"{path.name}:1: an alias refers to what it stands in"]
    except ConfigError as error:
        return None, [f"{path.name}:1: {error.what} ({error.got})"]
    twice = [f"{path.name}:{line}: {'.'.join(map(str, place))}: key given twice" for place, line in _twice(node)]
    try:
        team = Team.model_validate(data, strict=False)
    except ValidationError as error:
        told = zip(real_errors(error), mistakes(error, _as_written), strict=True)
        return None, twice + [f"{path.name}:{_nearest(lines, _as_written(item['loc']))}: {text}" for item, text in told]
    if team.team != path.stem:
        return None, [*twice, f"{path.name}:{lines[('team',)]}: team '{team.team}' must be in {team.team}.yaml"]
    return team, twice


def _as_written(place: Place) -> Place:
    """Without the kind of store that pydantic puts between ``store`` and its key."""
    return (
        place[:1] + place[2:] if place[:1] == ("store",) and place[1:2] and place[1] in StoreKind.__members__ else place
    )


def _line_of(error: Exception) -> int:
    mark = getattr(error, "problem_mark", None)
    return mark.line + 1 if mark else 1


def _entries(node: yaml.Node | None) -> Iterator[tuple[int | str, yaml.Node, int]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value, key.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield index, value, value.start_mark.line + 1


def _lines(node: yaml.Node | None, place: tuple[int | str, ...] = ()) -> dict[tuple[int | str, ...], int]:
    found: dict[tuple[int | str, ...], int] = {}
    for name, value, line in _entries(node):
        found[(*place, name)] = line
        found |= _lines(value, (*place, name))
    return found


def _twice(node: yaml.Node | None, place: tuple[int | str, ...] = ()) -> list[tuple[tuple[int | str, ...], int]]:
    found: list[tuple[tuple[int | str, ...], int]] = []
    seen: set[Any] = set()
    for name, value, line in _entries(node):
        if name in seen:
            found.append(((*place, name), line))
        seen.add(name)
        found += _twice(value, (*place, name))
    return found


def _nearest(lines: dict[tuple[int | str, ...], int], place: tuple[int | str, ...]) -> int:
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)

"""Declared sources: data from outside the platform. ``jobs/<team>/sources.yaml`` says place, format and freshness.

The schema is the job's, permission is the team file's. The listing is frozen when a run is planned, recorded in the
manifest, and compared again after the read: a file that changed in between fails the run.
"""

import hashlib
import importlib.util
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

import yaml
from pydantic import Field, TypeAdapter, ValidationError, field_validator

from framework.errors import ConfigError, InputChanged, NotYet
from framework.job import Run
from framework.records import Record, mistakes
from framework.tenancy.model import Teams

PLACEHOLDERS: Final = ("run.date", "run.start", "run.end")
Format = Literal["csv", "json", "parquet"]
BadRows = Literal["fail", "drop", "warn"]


class SourceSpec(Record):
    """One entry of ``sources.yaml``.

    ``uri`` is a path or glob, relative to the workspace, with ``{run.date}``, ``{run.start}`` and ``{run.end}``
    (each with a strftime format if wanted). ``fresh``: how old the newest file may be at the end of the run.
    """

    kind: Literal["files"] = "files"
    format: Format
    uri: str
    options: Mapping[str, str] = Field(default_factory=dict)
    fresh: timedelta | None = None
    on_bad: BadRows = "fail"

    @field_validator("uri")
    @classmethod
    def _known_placeholders(cls, uri: str) -> str:
        names = [name for _, name, _, _ in string.Formatter().parse(uri) if name is not None]
        unknown = [name for name in names if name not in PLACEHOLDERS]
        if unknown:
            raise ValueError(f"unknown placeholder {{{unknown[0]}}}; there are {', '.join(PLACEHOLDERS)}")
        if "://" in uri:
            raise ValueError("a path of a mounted directory; object stores are not supported in this version")
        return uri

    def place(self, run: Run) -> str:
        """``uri`` with the run's own dates filled in."""
        return string.Formatter().vformat(self.uri, (), {"run": run})


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file as it was when the run was planned. ``modified_ns``: nanoseconds since the epoch, the store's clock."""

    path: Path
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Listing:
    """The frozen files of one source."""

    source: str
    spec: SourceSpec
    files: tuple[SourceFile, ...]

    @property
    def digest(self) -> str:
        """sha256 over names, sizes and times: two runs with one digest read the same files."""
        lines = "".join(f"{f.path}\t{f.bytes}\t{f.modified_ns}\n" for f in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()

    def require_unchanged(self) -> None:
        """Raises: InputChanged naming the first file that is not as it was planned."""
        for file in self.files:
            if _stat(file.path) != file:
                raise InputChanged(
                    f"a file of source '{self.source}' changed or vanished while it was read",
                    where=str(file.path),
                    expected=f"{file.bytes} bytes, as when the run was planned",
                    next_step="the next try reads it as it is then; land files under new names",
                )


def load_sources(team: str) -> Mapping[str, SourceSpec]:
    """The sources that ``jobs/<team>/sources.yaml`` declares; none if there is no such file.

    Raises: ConfigError with every mistake.
    """
    path = _sources_file(team)
    if path is None:
        return {}
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return TypeAdapter(dict[str, SourceSpec]).validate_python(data, strict=False)
    except yaml.YAMLError as error:
        raise ConfigError("not YAML", where=str(path), got=str(error)) from None
    except ValidationError as error:
        raise ConfigError("mistakes in the sources file", where=str(path), details=mistakes(error)) from None


def _sources_file(team: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(f"jobs.{team}")
    except ModuleNotFoundError:  # no package of jobs at all
        return None
    folders = spec.submodule_search_locations if spec else None
    found = (Path(folder) / "sources.yaml" for folder in folders or ())
    return next((path for path in found if path.is_file()), None)


def find_source(team: str, name: str) -> SourceSpec:
    """Raises: ConfigError, naming the sources there are."""
    sources = load_sources(team)
    if name not in sources:
        raise ConfigError(
            f"team '{team}' declares no such source",
            got=name,
            expected=f"one of {', '.join(sorted(sources)) or '(none)'}",
            next_step=f"declare it in jobs/{team}/sources.yaml: {name}: {{kind: files, format: csv, uri: ...}}",
        )
    return sources[name]


def freeze(name: str, teams: Teams, run: Run) -> Listing:
    """The files of source ``name`` as they are now, for ``run``'s team.

    Raises: NotYet (nothing landed, or too old), PolicyError (not in the team's ``reads``), ConfigError.
    """
    spec = find_source(run.team, name)
    place = Path(spec.place(run))
    pattern = place if place.is_absolute() else teams.workspace / place
    if pattern.is_dir():
        pattern /= "*"
    paths = sorted(path.resolve() for path in pattern.parent.glob(pattern.name) if path.is_file())
    for path in paths or [pattern.parent.resolve() / pattern.name]:
        teams.require_read(run.team, path)
    listing = Listing(name, spec, tuple(file for path in paths if (file := _stat(path))))
    _require_fresh(listing, str(pattern), run)
    return listing


def _stat(path: Path) -> SourceFile | None:
    try:
        facts = path.stat()
    except FileNotFoundError:
        return None
    return SourceFile(path, facts.st_size, facts.st_mtime_ns)


def _require_fresh(listing: Listing, pattern: str, run: Run) -> None:
    if not listing.files:
        raise NotYet(
            f"source '{listing.source}' has no file yet",
            where=pattern,
            next_step="land the files, or correct 'uri' in sources.yaml",
        )
    fresh = listing.spec.fresh
    newest = datetime.fromtimestamp(max(f.modified_ns for f in listing.files) / 1e9, UTC)
    if fresh is not None and newest < run.end - fresh:
        raise NotYet(
            f"source '{listing.source}' is stale",
            where=pattern,
            got=f"newest file of {newest.isoformat()}",
            expected=f"at most {fresh} before the end of the run, {run.end.isoformat()}",
        )

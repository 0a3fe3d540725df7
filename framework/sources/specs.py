"""``sources.yaml`` as records."""

import importlib.util
import re
import string
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import yaml
from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from framework.connections import NAME
from framework.errors import ConfigError
from framework.job import Run
from framework.records import Place, Record, mistakes
from framework.sql import TableName, quoted
from framework.tenancy.places import check_endpoint, check_region
from framework.textfile import read_text

PLACEHOLDERS: Final = ("run.date", "run.start", "run.end")
Format = Literal["csv", "json", "parquet"]
BadRows = Literal["fail", "drop", "warn"]
_BUCKET: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/")


def check_placeholders(text: str) -> str:
    """``text`` if it names no other than those. Raises: ValueError."""
    names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
    unknown = [name for name in names if name not in PLACEHOLDERS]
    if unknown:
        raise ValueError(f"unknown placeholder {{{unknown[0]}}}; there are {', '.join(PLACEHOLDERS)}")
    return text


def _table(text: str) -> str:
    TableName.of(text)
    return text


def _identifier(name: str) -> str:
    quoted(name)
    return name


def _kind(given: Any) -> str:
    kind = given.get("kind", "files") if isinstance(given, Mapping) else getattr(given, "kind", "files")
    return str(kind)


class SourceSpec(Record):
    """One entry of ``sources.yaml``.

    ``uri`` is a path, glob or folder, relative to the workspace or to the team file's ``landing``, or one in a bucket (``s3://bucket/...``), with
    ``{run.date}``, ``{run.start}`` and ``{run.end}`` (each with a strftime format if wanted). ``fresh``: how old the
    newest file may be at the end of the run. ``endpoint`` and ``region`` are a bucket's, where it is not where the
    team's own store is.
    """

    kind: Literal["files"] = "files"
    format: Format
    uri: str
    options: Mapping[str, str] = Field(default_factory=dict)
    fresh: timedelta | None = None
    on_bad: BadRows = "fail"
    endpoint: Annotated[str, AfterValidator(check_endpoint)] | None = None
    region: Annotated[str, AfterValidator(check_region)] | None = None

    @field_validator("uri")
    @classmethod
    def _a_place(cls, uri: str) -> str:
        check_placeholders(uri)
        if "://" in uri and not _BUCKET.match(uri):
            raise ValueError("expected a path of a mounted directory, or s3://<bucket>/<key>")
        return uri

    @model_validator(mode="after")
    def _buckets_only(self) -> "SourceSpec":
        if self.bucket is None and (self.endpoint or self.region):
            raise ValueError("endpoint and region are for an uri s3://<bucket>/...")
        return self

    @property
    def bucket(self) -> str | None:
        """The bucket's name; None for a directory."""
        found = _BUCKET.match(self.uri)
        return found and found[1]

    def landed(self, landing: str | None) -> "SourceSpec":
        """The same source where a relative ``uri`` begins at ``landing``, a folder or a bucket; at the workspace without."""
        if landing is None or self.bucket is not None or Path(self.uri).is_absolute():
            return self
        return self.model_copy(update={"uri": f"{landing}/{self.uri}"})

    def place(self, run: Run) -> str:
        """``uri`` with the run's own dates filled in."""
        return string.Formatter().vformat(self.uri, (), {"run": run})


class Partition(Record):
    """How a large table is read by several tasks at once: equal strides of ``column`` from ``lower`` to ``upper``.

    Rows beyond the bounds are read too, by the first and the last task.
    """

    column: Annotated[str, AfterValidator(_identifier)]
    lower: int | datetime | date
    upper: int | datetime | date
    number: int = Field(ge=2, le=200)


class QuerySpec(Record):
    """One entry of ``sources.yaml`` of kind ``jdbc``: a table of PostgreSQL, or what a query answers.

    ``connection``: its name, as Airflow has it. ``query`` and ``fresh_query`` may hold ``{run.date}``, ``{run.start}`` and
    ``{run.end}``, which are values there: dates and moments, or quoted text with a strftime format. ``fresh_query``
    answers one moment, the newest, which may be ``fresh`` old at the end of the run.
    """

    kind: Literal["jdbc"]
    connection: Annotated[str, Field(pattern=NAME)]
    table: Annotated[str, AfterValidator(_table)] | None = None
    query: Annotated[str, AfterValidator(check_placeholders), Field(min_length=1)] | None = None
    partition: Partition | None = None
    fresh: timedelta | None = None
    fresh_query: Annotated[str, AfterValidator(check_placeholders), Field(min_length=1)] | None = None

    def reader_options(self) -> Mapping[str, str]:
        """How Spark's reader is told of the partition."""
        if self.partition is None:
            return {}
        part = self.partition
        return {
            "partitionColumn": quoted(part.column),
            "lowerBound": str(part.lower),
            "upperBound": str(part.upper),
            "numPartitions": str(part.number),
        }

    @model_validator(mode="after")
    def _one_of_two(self) -> "QuerySpec":
        if (self.table is None) == (self.query is None):
            raise ValueError("expected either table or query")
        if (self.fresh is None) != (self.fresh_query is None):
            raise ValueError("fresh and fresh_query belong together: how old, and what answers the newest moment")
        return self


AnySpec: TypeAlias = SourceSpec | QuerySpec
_ENTRIES: Final[TypeAdapter[dict[str, AnySpec]]] = TypeAdapter(
    dict[
        str,
        Annotated[
            Annotated[SourceSpec, Tag("files")] | Annotated[QuerySpec, Tag("jdbc")],
            Discriminator(
                _kind,
                custom_error_type="kind",
                custom_error_message="unknown kind; there are files, which is meant where none is said, and jdbc",
            ),
        ],
    ]
)


def load_sources(team: str) -> Mapping[str, AnySpec]:
    """The sources that ``jobs/<team>/sources.yaml`` declares; none if there is no such file.

    Raises: ConfigError with every mistake.
    """
    path = _sources_file(team)
    return {} if path is None else _read(path)


def sources_in(workspace: Path, team: str) -> Mapping[str, AnySpec]:
    """As ``load_sources``, where the team's jobs cannot be imported: from the workspace's folder."""
    path = workspace / "jobs" / team / "sources.yaml"
    return _read(path) if path.is_file() else {}


def _read(path: Path) -> Mapping[str, AnySpec]:
    try:
        data: Any = yaml.safe_load(read_text(path)) or {}
        return _ENTRIES.validate_python(data, strict=False)
    except yaml.YAMLError as error:
        raise ConfigError("not YAML", where=str(path), got=str(error)) from None
    except ValidationError as error:
        raise ConfigError(
            "mistakes in the sources file", where=str(path), details=mistakes(error, _as_written)
        ) from None


def _sources_file(team: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(f"jobs.{team}")
    except ModuleNotFoundError:  # no package of jobs at all
        return None
    folders = spec.submodule_search_locations if spec else None
    found = (Path(folder) / "sources.yaml" for folder in folders or ())
    return next((path for path in found if path.is_file()), None)


def connections_of(declared: Mapping[str, AnySpec], names: Iterable[str]) -> tuple[str, ...]:
    """The connections that those of ``declared`` that are called ``names`` are read with."""
    specs = (declared[name] for name in names if name in declared)
    return tuple(sorted({spec.connection for spec in specs if isinstance(spec, QuerySpec)}))


def _as_written(place: Place) -> Place:
    """Without the kind that pydantic puts between a source and its key."""
    return place[:1] + place[2:]


def find_source(team: str, name: str) -> AnySpec:
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

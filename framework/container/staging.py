"""A run's pinned inputs become folders that hold exactly their published files, or URIs."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from framework.config import DataMode
from framework.container.told import InputTold
from framework.errors import ConfigError
from framework.job import Files
from framework.plan import AbsentInput, Fixture, FixtureInput, PlannedInput, RunInput
from framework.runner.laying import Hot, Source, laid_out, sources_of
from framework.schema.compare import type_text
from framework.schema.spec import SchemaSpec
from framework.world import World


def columns_of(spec: SchemaSpec) -> dict[str, str]:
    """Names and types for a person or a tool: as SQL writes them."""
    return {column.name: type_text(column.type) for column in spec.columns}


class Staged(NamedTuple):
    """One input: what the program is told, and how many bytes of it the team's cache delivered."""

    told: InputTold
    hot: int = 0


def staged(planned: PlannedInput, world: World, folder: Path, data: DataMode, hot: Hot | None = None) -> Staged:
    """Lay out one input. ``hot``: what the cache has. Raises: StoreUnavailable, InputCorrupt, SetupError, ConfigError."""
    columns = columns_of(planned.port.schema)
    match planned:
        case AbsentInput():
            return Staged(InputTold(path=None, columns=columns))
        case FixtureInput(fixture=Fixture(folder=Path() as given)):
            return Staged(_copied(given, folder))
        case FixtureInput():
            return Staged(_written(planned, folder, columns))
        case RunInput():
            sources = sources_of(planned, world)
            columns = columns or _written_columns(planned)
            if data == "uri":
                return Staged(_named(planned, sources, columns))
            warm = laid_out(sources, folder, linked=data == "volume", hot=hot)
            told = InputTold(
                path=str(folder), files=tuple(sorted(one.name for one in sources)), columns=columns,
                bytes=sum(one.bytes for one in sources), rows=sum(read.rows for read in planned.reads),
            )  # fmt: skip
            return Staged(told, warm)
    raise ConfigError("a container reads published outputs only", where=planned.port.name)


def _written_columns(planned: RunInput) -> dict[str, str]:
    """Of a port that nobody typed: what its producers published, where all of them published the same."""
    found = [columns_of(read.schema) for read in planned.reads]
    return found[0] if found and all(one == found[0] for one in found) else {}


def _copied(given: Path, folder: Path) -> InputTold:
    """A person's own folder, as if it had been published: the program may do with it what it likes."""
    names = Files(given).names
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(given / name, folder / name)
    return InputTold(path=str(folder), files=names, bytes=sum((folder / name).stat().st_size for name in names))


def _named(planned: RunInput, sources: Sequence[Source], columns: dict[str, str]) -> InputTold:
    return InputTold(
        path=None, uris=tuple(for_tools(one.store.uri(one.path)) for one in sources), columns=columns,
        bytes=sum(one.bytes for one in sources), rows=sum(read.rows for read in planned.reads),
    )  # fmt: skip


def for_tools(uri: str) -> str:
    """``s3a`` is Hadoop's name of the scheme; all other tools say ``s3``."""
    return f"s3://{uri.removeprefix('s3a://')}" if uri.startswith("s3a://") else uri


def _written(planned: FixtureInput, folder: Path, columns: dict[str, str]) -> InputTold:
    import pyarrow as pa  # only now: what is fetched as it is needs none of it
    import pyarrow.parquet as pq

    from framework.container.arrow import arrow_schema

    folder.mkdir(parents=True, exist_ok=True)
    rows, file = planned.fixture.rows, folder / "fixture.parquet"
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(planned.port.schema)), file)
    return InputTold(path=str(folder), files=(file.name,), columns=columns, bytes=file.stat().st_size, rows=len(rows))

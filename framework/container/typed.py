"""What a program left becomes typed Parquet: as it is where it is Parquet, rewritten where it is CSV or JSON Lines."""

import mmap
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.json as pjson
import pyarrow.parquet as pq

from framework.container.arrow import arrow_schema, as_text, misfits
from framework.container.found import Left
from framework.errors import SchemaMismatch, clip
from framework.schema.spec import SchemaSpec

_FORMATS: Final = {".parquet": "Parquet", ".csv": "CSV", ".jsonl": "JSON Lines", ".ndjson": "JSON Lines"}
_TOLD: Final = 5
_OBJECT: Final = re.compile(rb"^[ \t]*\{", re.MULTILINE)
_NO_OBJECT: Final = re.compile(rb"^[ \t\r]*[^{\s][^\n]{0,60}", re.MULTILINE)
# The longest line that a reader takes.
_BLOCK_BYTES: Final = 16 << 20


def as_parquet(files: Sequence[Left], spec: SchemaSpec, aside: Path, *, output: str, where: str) -> tuple[Left, ...]:
    """``files`` as Parquet with exactly the columns of ``spec``; what had to be rewritten is below ``aside``.

    A CSV file has a header of the declared names, in any order, and an empty cell is null; JSON Lines has an object a line.
    Raises: SchemaMismatch with what is wrong of each file.
    """
    kinds = {one.name: _FORMATS.get(PurePosixPath(one.name).suffix.lower()) for one in files}
    if unknown := [name for name, kind in kinds.items() if kind is None]:
        raise SchemaMismatch(
            f"output '{output}' holds files of no known kind", where=where, details=unknown[:_TOLD],
            expected=", ".join(_FORMATS), next_step="name the files by what they hold, or declare the output Files",
        )  # fmt: skip
    wrong: list[str] = [f"{name}.parquet: would be {name}, too" for name in kinds if f"{name}.parquet" in kinds]
    made = [one for file in files if (one := _typed(file, str(kinds[file.name]), spec, aside, wrong)) is not None]
    if wrong:
        raise other_columns(spec, wrong, output=output, where=where)
    return tuple(made)


def other_columns(spec: SchemaSpec, wrong: Sequence[str], *, output: str, where: str) -> SchemaMismatch:
    """The error of files whose columns are not those of ``spec``."""
    return SchemaMismatch(
        f"the columns of output '{output}' are not those declared",
        where=where,
        expected=f"{spec.name}: {', '.join(spec.names)}",
        details=wrong,
        next_step="mend what the program writes, or the schema",
    )


def _typed(file: Left, kind: str, spec: SchemaSpec, aside: Path, wrong: list[str]) -> Left | None:
    try:
        if kind == "Parquet":
            wrong += [f"{file.name}: {line}" for line in misfits(pq.read_schema(file.path), spec)]
            return file
        name = f"{file.name}.parquet"  # whole: a.csv and a.jsonl are two files
        target = aside / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _rewritten(_BATCHES[kind](file.path, spec), spec, target)
        return Left(name, target, target.stat().st_size)
    except (pa.ArrowException, ValueError, KeyError) as error:
        wrong.append(f"{file.name}: {clip(str(error).splitlines()[0] if str(error) else type(error).__name__)}")
    return None


def _rewritten(batches: Iterator[pa.RecordBatch], spec: SchemaSpec, target: Path) -> None:
    """Batch after batch, so that memory does not grow with the file."""
    schema = pa.schema([field.with_nullable(True) for field in arrow_schema(spec)])
    with pq.ParquetWriter(target, schema, compression="snappy", write_page_checksum=True) as writer:
        for batch in batches:
            writer.write_batch(batch.select(list(spec.names)).cast(schema))


def _from_csv(path: Path, spec: SchemaSpec) -> Iterator[pa.RecordBatch]:
    schema = arrow_schema(spec)
    if nested := [one.name for one in spec.columns if isinstance(one.type, dict)]:
        raise ValueError(f"CSV cannot hold {', '.join(nested)}; write JSON Lines or Parquet")
    options = pcsv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    # Without this a line break within quotes is read well only as long as the file is one block.
    parsing = pcsv.ParseOptions(newlines_in_values=True)
    with pcsv.open_csv(path, pcsv.ReadOptions(block_size=_BLOCK_BYTES), parsing, options) as reader:
        _require_names(reader.schema.names, spec)
        yield from reader


def _from_json(path: Path, spec: SchemaSpec) -> Iterator[pa.RecordBatch]:
    if not _has_objects(path):
        return  # no line is no row
    options = pjson.ParseOptions(explicit_schema=as_text(arrow_schema(spec)), unexpected_field_behavior="error")
    with pjson.open_json(path, pjson.ReadOptions(block_size=_BLOCK_BYTES), options) as reader:
        yield from reader


def _has_objects(path: Path) -> bool:
    """Whether there is a line. Raises: ValueError for one that is no object: Arrow takes ``null`` for a row, or dies of it."""
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if odd := _NO_OBJECT.search(content):
            line = content[: odd.start()].count(b"\n") + 1
            raise ValueError(f"line {line} is no object: {clip(odd[0].decode(errors='replace').strip())}")
        return _OBJECT.search(content) is not None


def _require_names(found: Sequence[str], spec: SchemaSpec) -> None:
    """Raises: ValueError."""
    if missing := [name for name in spec.names if name not in found]:
        raise ValueError(f"the header lacks {', '.join(missing)}")
    if more := [name for name in found if name not in spec.names]:
        raise ValueError(f"the header has {', '.join(more)}, which nobody declared")


_BATCHES: Final[Mapping[str, Callable[[Path, SchemaSpec], Iterator[pa.RecordBatch]]]] = {
    "CSV": _from_csv,
    "JSON Lines": _from_json,
}

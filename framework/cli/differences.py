"""What differs between two published attempts: schema, rows, checks, content, and the keys of some rows; never a row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from framework.datafile import DataFile, readable
from framework.errors import ConfigError, clip
from framework.hashing import ContentHash, hash_files, hash_rows
from framework.manifest import OutputEntry
from framework.schema.compare import type_text
from framework.schema.spec import Column, SchemaSpec
from framework.storage.attempts import check_files, published_files
from framework.storage.base import Store
from framework.storage.publish import Published

SAMPLE: Final = 5
# A key and a hash of each row are held in memory: about 200 bytes a row.
MOST_ROWS: Final = 2_000_000
Files = tuple[DataFile, ...]


class Side(NamedTuple):
    """One of the two attempts, and the store it is in."""

    store: Store
    published: Published

    def __str__(self) -> str:
        return f"{self.published.key}@{self.published.number}"


_NO_ROWS: Final = ContentHash(0, 0)


@dataclass(frozen=True, slots=True)
class Keys:
    """Rows with the same key and other values, and rows whose key only one side has: how many, and some of the keys."""

    changed: tuple[int, tuple[str, ...]]
    only_first: tuple[int, tuple[str, ...]]
    only_second: tuple[int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Difference:
    """One output compared. ``same`` means equal rows under an equal schema, with equal checks.

    ``hashes`` is None where columns or types differ: content of another shape is not comparable.
    """

    output: str
    facts: tuple[str, ...] = ()
    rows: tuple[int, int] | None = None
    hashes: tuple[ContentHash, ContentHash] | None = None
    keys: Keys | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def same(self) -> bool:
        return not self.facts and self.hashes is not None and self.hashes[0] == self.hashes[1]

    def lines(self) -> Iterator[str]:
        """For people: what is the same is not told."""
        yield from self.facts
        if self.rows and self.rows[0] != self.rows[1]:
            yield f"rows: {self.rows[0]:,} and {self.rows[1]:,}"
        if self.hashes and self.hashes[0] != self.hashes[1]:
            yield f"content: {self.hashes[0]} and {self.hashes[1]}"
        if self.keys:
            told = (
                ("changed", self.keys.changed),
                ("only first", self.keys.only_first),
                ("only second", self.keys.only_second),
            )
            for name, (count, some) in told:
                if count:
                    yield f"{name}: {count:,} row(s): {'; '.join(some)}{' ...' if count > len(some) else ''}"
        yield from self.notes

    def to_json(self) -> dict[str, Any]:
        keys = self.keys and {
            name: {"rows": count, "some": list(some)}
            for name, (count, some) in (
                ("changed", self.keys.changed),
                ("only_first", self.keys.only_first),
                ("only_second", self.keys.only_second),
            )
        }
        return {
            "output": self.output,
            "same": self.same,
            "facts": list(self.facts),
            "rows": self.rows and list(self.rows),
            "content": self.hashes and [str(one) for one in self.hashes],
            "keys": keys,
            "notes": list(self.notes),
        }


def differences(first: Side, second: Side, *, output: str | None = None) -> tuple[Difference, ...]:
    """Both attempts compared, output by output. Raises: ConfigError, InputCorrupt when published files are gone."""
    sides = [{entry.name: entry for entry in side.published.manifest.outputs} for side in (first, second)]
    names = [*sides[0], *(name for name in sides[1] if name not in sides[0])]
    if output is not None and output not in names:
        raise ConfigError("neither has such an output", got=output, expected=f"one of {', '.join(names)}")
    return tuple(_compare(name, first, second) for name in names if output in (None, name))


def _compare(name: str, first: Side, second: Side) -> Difference:
    for side, other in ((first, second), (second, first)):
        if name not in {entry.name for entry in side.published.manifest.outputs}:
            return Difference(name, (f"only {other} has this output",))
    entries = first.published.output(name), second.published.output(name)
    if entries[0].untyped or entries[1].untyped:
        return Difference(name, tuple(_files_that_differ(*entries)), hashes=(_NO_ROWS, _NO_ROWS))
    specs = SchemaSpec.from_json(entries[0].schema_), SchemaSpec.from_json(entries[1].schema_)
    facts = (*_schema(*specs), *_checks(*entries))
    rows = entries[0].rows, entries[1].rows
    if _shape(specs[0]) != _shape(specs[1]):
        return Difference(name, facts, rows, notes=("content is not compared: columns or types differ",))
    files = _files(first, name), _files(second, name)
    hashes = hash_files(files[0], specs[0]), hash_files(files[1], specs[1])
    keys, notes = (None, ()) if hashes[0] == hashes[1] else _keys(files, specs[0], max(rows))
    return Difference(name, facts, rows, hashes, keys, notes)


def _files_that_differ(first: OutputEntry, second: OutputEntry) -> Iterator[str]:
    """Of outputs that nobody typed: a line for each file that only one has, or that is another."""
    if first.untyped != second.untyped:
        yield f"{'files' if first.untyped else 'rows'} and {'files' if second.untyped else 'rows'}"
        return
    one, other = (
        {file.path: digest for file, digest in zip(entry.files, entry.digests, strict=True)}
        for entry in (first, second)
    )
    for path in sorted({*one, *other}):
        if path not in one or path not in other:
            yield f"file {path} is in {'the first' if path in one else 'the second'} only"
        elif one[path] != other[path]:
            yield f"file {path} is another: sha256 {one[path][:12]} and {other[path][:12]}"


def _shape(spec: SchemaSpec) -> list[tuple[str, object]]:
    return [(column.name, column.type) for column in spec.columns]


def _schema(first: SchemaSpec, second: SchemaSpec) -> Iterator[str]:
    one, other = ({column.name: column for column in spec.columns} for spec in (first, second))
    for name in [*one, *(name for name in other if name not in one)]:
        here, there = _column(one.get(name)), _column(other.get(name))
        if here != there:
            yield f"column {name}: {here} and {there}"
    if [*one] != [*other] and sorted(one) == sorted(other):
        yield f"order of columns: {', '.join(one)} and {', '.join(other)}"
    if first.key != second.key:
        yield f"key: {', '.join(first.key) or 'none'} and {', '.join(second.key) or 'none'}"


def _column(column: Column | None) -> str:
    if column is None:
        return "absent"
    return f"{type_text(column.type)}{'' if column.nullable else ' not null'}"


def _checks(first: OutputEntry, second: OutputEntry) -> Iterator[str]:
    for what, one, other in (
        ("check", first.checks, second.checks),
        ("dropped by", first.dropped, second.dropped),
    ):
        for name in sorted({*one, *other}):
            if one.get(name) != other.get(name):
                yield f"{what} {name}: {_count(one.get(name))} and {_count(other.get(name))}"


def _count(count: int | None) -> str:
    return "not measured" if count is None else f"{count:,} row(s)"


def _files(side: Side, name: str) -> tuple[DataFile, ...]:
    """The output's files, all there. Raises: InputCorrupt, StoreUnavailable."""
    check_files(side.store, side.published, name)
    return published_files(side.store, side.published, name)


def _keys(files: tuple[Files, Files], spec: SchemaSpec, rows: int) -> tuple[Keys | None, tuple[str, ...]]:
    """The keys of rows that differ, and why there are none."""
    if not spec.key:
        return None, ("no keys to name: the schema declares none",)
    if rows > MOST_ROWS:
        return None, (f"no keys are named: more than {MOST_ROWS:,} rows",)
    one, other = _hashes(files[0], spec), _hashes(files[1], spec)
    return Keys(
        _some(key for key, code in one.items() if key in other and other[key] != code),
        _some(key for key in one if key not in other),
        _some(key for key in other if key not in one),
    ), ()


def _some(keys: Iterator[str]) -> tuple[int, tuple[str, ...]]:
    found = sorted(keys)
    return len(found), tuple(found[:SAMPLE])


def _hashes(files: Files, spec: SchemaSpec) -> Mapping[str, int]:
    """By key, as text, the hash of its row; rows of one key that is not unique add up."""
    from pyarrow import parquet

    found: dict[str, int] = {}
    for file in files:
        with parquet.ParquetFile(readable(file)) as opened:
            for batch in opened.iter_batches(columns=list(spec.names)):
                for row in batch.to_pylist(maps_as_pydicts="strict"):
                    key = ", ".join(f"{name}={clip(str(row[name]), 60)}" for name in spec.key)
                    found[key] = found.get(key, 0) + hash_rows([[row[name] for name in spec.names]], spec).total
    return found

import datetime as dt
import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from annotated_types import Ge
from pydantic import AwareDatetime, Field
from pyspark.sql import SparkSession

from framework.datafile import DataFile
from framework.errors import CheckFailed, ConfigError, InputChanged, InputCorrupt, SchemaMismatch
from framework.schema.model import Schema, schema_spec
from framework.schema.types import Drop, Warn
from framework.spark import sources
from framework.spark.columns import struct_type
from framework.spark.formats import csv_header
from framework.spark.rows import rows_of
from framework.spark.sources import SourceRead, SourceRows, read_source

pytestmark = pytest.mark.spark


class Delay(Schema):
    origin: str
    dest: str
    delay: int | None
    tail: Annotated[str | None, Field(alias="Tail Number")]
    source: str = "faa"


SPEC = schema_spec(Delay)
HEADER = "origin,dest,delay,Tail Number"


def put(folder: Path, **contents: str | bytes) -> tuple[DataFile, ...]:
    """Files by name, ``_`` standing for the dot."""
    files = []
    for name, content in contents.items():
        path = folder / name.replace("_", ".")
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        files.append(DataFile(f"file://{path}", path.stat().st_size))
    return tuple(files)


def read(spark: SparkSession, files: Any, spec: Any = SPEC, **more: Any) -> SourceRows:
    source = SourceRead(files, **{"format": "csv", **more})
    return read_source(spark, source, spec, port="raw", where="jobs.flights.ingest:Ingest, port raw")


def rows(result: SourceRows) -> Any:
    return sorted(rows_of(result.frame), key=str)


def test_csv_columns_are_found_by_name_in_each_file(spark: SparkSession, tmp_path: Path) -> None:
    files = put(
        tmp_path,
        a_csv=f"{HEADER}\nJFK,LAX,5,N1\n",
        b_csv="dest,origin,extra,Tail Number,delay\nSFO,EWR,x,,-3\n",
        c_csv=f"{HEADER}\n",
    )

    result = read(spark, files)

    assert rows(result) == [
        {"origin": "EWR", "dest": "SFO", "delay": -3, "tail": None, "source": "faa"},
        {"origin": "JFK", "dest": "LAX", "delay": 5, "tail": "N1", "source": "faa"},
    ]
    assert result.report.rows == (2,)
    assert result.report.violations == {"raw.parse": 0, "raw.origin.null": 0, "raw.dest.null": 0, "raw.source.null": 0}


def test_by_position_swapped_columns_would_be_read_as_each_other(spark: SparkSession, tmp_path: Path) -> None:
    (file,) = put(tmp_path, a_csv="dest,origin,delay,Tail Number\nSFO,EWR,1,N1\n")

    plain = spark.read.schema(struct_type(SPEC)).option("header", "true").csv(file.uri).collect()

    assert plain[0]["origin"] == "SFO"  # what Spark does with a schema and a header
    assert rows(read(spark, (file,)))[0]["origin"] == "EWR"


@pytest.mark.parametrize("text", ["", "\n\n", "\ufeff"])
def test_a_csv_without_even_a_header_was_cut_short(spark: SparkSession, tmp_path: Path, text: str) -> None:
    """Spark takes it for a file of no rows: a day that nobody landed would look like a day without flights."""
    files = put(tmp_path, a_csv=f"{HEADER}\nJFK,LAX,5,N1\n", b_csv=text)

    with pytest.raises(InputCorrupt, match=r"b\.csv: no line in it, not even a header"):
        read(spark, files)

    plain = spark.read.schema(struct_type(SPEC)).option("header", "true").csv(files[1].uri)
    assert plain.count() == 0


def test_missing_columns_are_told_with_what_was_found(spark: SparkSession, tmp_path: Path) -> None:
    files = put(tmp_path, a_csv="origin,dst,delay\nJFK,LAX,5\n")

    with pytest.raises(SchemaMismatch) as stop:
        read(spark, files)

    assert [line.partition(":")[0] for line in stop.value.details] == ["dest", "Tail Number"]
    assert "did you mean dst?" in stop.value.details[0]
    assert "(in a.csv)" in stop.value.details[0]


def test_a_name_that_stands_twice_in_the_header_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SchemaMismatch, match="dest: 2 columns of this name"):
        read(spark, put(tmp_path, a_csv=f"{HEADER},dest\nJFK,LAX,5,N1,SFO\n"))


def test_csv_cannot_hold_lists(spark: SparkSession, tmp_path: Path) -> None:
    class Lists(Schema):
        a: list[int]

    with pytest.raises(SchemaMismatch, match="CSV cannot hold array<bigint>"):
        read(spark, put(tmp_path, a_csv="a\n1\n"), spec=schema_spec(Lists))


BAD = f"{HEADER}\nJFK,LAX,5,N1\nJFK,LAX,five,N2\nJFK,LAX\nJFK,LAX,5,N3,surplus\n"


def test_rows_that_cannot_be_parsed_fail_with_their_count(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed) as stop:
        read(spark, put(tmp_path, a_csv=BAD))

    assert stop.value.failed == {"raw.parse": 3}
    assert "five" not in str(stop.value)


def test_rows_that_cannot_be_parsed_may_be_dropped(spark: SparkSession, tmp_path: Path) -> None:
    result = read(spark, put(tmp_path, a_csv=BAD), on_bad="drop")

    assert [row["tail"] for row in rows(result)] == ["N1"]
    assert result.report.dropped == {"raw.parse": 3}
    assert result.report.violations["raw.parse"] == 3


def test_rows_that_cannot_be_parsed_may_stay_with_nulls(spark: SparkSession, tmp_path: Path) -> None:
    result = read(spark, put(tmp_path, a_csv=BAD), on_bad="warn")

    assert len(rows(result)) == 4
    assert result.report.violations["raw.parse"] == 3
    assert {row["delay"] for row in rows(result)} == {5, None}


def test_null_text_and_other_options_are_the_authors(spark: SparkSession, tmp_path: Path) -> None:
    content = "\ufeff# landed at night\norigin;dest;delay;'Tail Number'\nJFK;LAX;NA;NA\nJFK;'a;b';7;\n"
    options = {"sep": ";", "quote": "'", "nullValue": "NA", "comment": "#"}

    result = read(spark, put(tmp_path, a_csv=content), options=options)

    assert [(row["dest"], row["delay"], row["tail"]) for row in rows(result)] == [("LAX", None, None), ("a;b", 7, None)]


@pytest.mark.parametrize("option", ["header", "inferSchema", "enforceSchema", "mode", "columnNameOfCorruptRecord"])
def test_options_that_would_undo_the_guards_are_refused(spark: SparkSession, tmp_path: Path, option: Any) -> None:
    with pytest.raises(ConfigError, match=option):
        read(spark, put(tmp_path, a_csv=f"{HEADER}\n"), options={option: "true"})


def test_compressed_files_are_read(spark: SparkSession, tmp_path: Path) -> None:
    files = put(tmp_path, a_csv_gz=gzip.compress(f"{HEADER}\nJFK,LAX,5,N1\n".encode()))

    assert len(rows(read(spark, files))) == 1


@pytest.mark.parametrize(
    ("text", "options", "names"),
    [
        ("a,b", {}, ("a", "b")),
        ('"a,b","c ""d"""', {"escape": '"'}, ("a,b", 'c "d"')),
        ("a\tb", {"sep": "\\t"}, ("a", "b")),
        ("a||b", {"sep": "||"}, ("a", "b")),
        ("\r\n\r\na,b\r\n1,2", {}, ("a", "b")),
        ("", {}, ()),
        ("a,'b", {"quote": ""}, ("a", "'b")),
        ("é,b".encode("latin-1"), {"encoding": "latin-1"}, ("é", "b")),
    ],
)
def test_headers_are_read_as_spark_reads_them(tmp_path: Path, text: Any, options: Any, names: Any) -> None:
    (file,) = put(tmp_path, a_csv=text)

    assert csv_header(file, options, where="test") == names


def test_a_header_in_another_encoding_names_the_file(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputCorrupt, match=r"a\.csv: not UTF-8: line 1 holds the byte 0xe9") as stop:
        read(spark, put(tmp_path, a_csv="é,b".encode("latin-1")))

    assert "encoding: ISO-8859-1" in str(stop.value)
    assert "producer" not in str(stop.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f"{HEADER}\nJFK,Orléans,5,N1\n".encode("latin-1"), "line 2 holds the byte 0xe9"),
        (f"{HEADER}\nJFK,LAX,5,N1\n".encode("utf-16"), "UTF-16, not UTF-8"),
    ],
)
def test_text_in_another_encoding_is_told_with_its_line(
    spark: SparkSession, tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(InputCorrupt, match=said) as stop:
        read(spark, put(tmp_path, a_csv=content))

    assert "1 source file(s) cannot be read" in str(stop.value)


def test_the_encoding_that_the_error_proposes_is_read(spark: SparkSession, tmp_path: Path) -> None:
    files = put(tmp_path, a_csv=f"{HEADER}\nJFK,Orléans,5,N1\n".encode("latin-1"))

    assert rows(read(spark, files, options={"encoding": "ISO-8859-1"}))[0]["dest"] == "Orléans"


def test_places_of_rows_that_cannot_be_parsed_are_told_and_never_the_rows(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed) as stop:
        read(spark, put(tmp_path, a_csv=BAD, b_csv=f"{HEADER}\r\nJFK,LAX,hunter2,N1\r\n"))

    assert stop.value.failed == {"raw.parse": 4}
    assert "raw.parse: 4 row(s) that cannot be parsed, such as a.csv line 3, 4, 5; b.csv line 2" in str(stop.value)
    assert "hunter2" not in str(stop.value)
    assert "on_bad: drop" in str(stop.value)


def test_quoted_line_breaks_are_told_and_read_with_the_option(spark: SparkSession, tmp_path: Path) -> None:
    files = put(tmp_path, a_csv=f'{HEADER}\nJFK,"LA\nX",5,N1\n')

    with pytest.raises(CheckFailed, match=r"a\.csv line 2, 3(?s:.*)multiLine: 'true'"):
        read(spark, files)
    assert rows(read(spark, files, options={"multiLine": "true"}))[0]["dest"] == "LA\nX"


def test_other_checks_of_a_source_do_not_send_to_transform(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(CheckFailed, match="mend the files, or say in the job's schema"):
        read(spark, put(tmp_path, a_csv=f"{HEADER}\n,LAX,5,N1\n"))


def test_constraints_of_a_source_are_measured_and_enforced(spark: SparkSession, tmp_path: Path) -> None:
    class Strict(Schema, key=("origin",), rules={"far": Warn("origin != dest")}):
        origin: str
        dest: Annotated[str, Field(pattern="^[A-Z]{3}$")]
        delay: Annotated[int, Drop(Ge(0))] | None

    spec = schema_spec(Strict)
    content = "origin,dest,delay\nJFK,LAX,-5\nEWR,EWR,5\nLGA,SFO,\n"

    result = read(spark, put(tmp_path, a_csv=content), spec=spec)
    assert [row["origin"] for row in rows(result)] == ["EWR", "LGA"]
    assert result.report.violations["raw.delay.ge"] == 1
    assert result.report.violations["raw.far"] == 1
    assert result.report.samples["raw.far"] == ("origin=EWR",)

    with pytest.raises(CheckFailed) as stop:
        read(spark, put(tmp_path, b_csv="origin,dest,delay\n,lax,5\nEWR,SFO,5\nEWR,SFO,5\n"), spec=spec)
    assert stop.value.failed == {"raw.origin.null": 1, "raw.dest.pattern": 1, "raw.key": 1}


def lines(*items: object) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


class Event(Schema):
    id: int
    name: str | None
    price: Annotated[Decimal, Field(max_digits=12, decimal_places=2)] | None = None
    tags: list[str] | None = None
    at: AwareDatetime | None = None
    kind: Annotated[str, Field(alias="event-kind")] = "none"


EVENT = schema_spec(Event)


def test_json_is_read_by_name_and_type(spark: SparkSession, tmp_path: Path) -> None:
    content = lines(
        {
            "id": 1,
            "name": "a",
            "price": 1.5,
            "tags": ["x"],
            "at": "2013-01-01T00:00:00Z",
            "event-kind": "new",
            "more": 1,
        },
        {"id": 2, "name": None, "event-kind": "old"},
    )

    result = read(spark, put(tmp_path, a_json=content), spec=EVENT, format="json")

    assert rows(result) == [
        {
            "id": 1, "name": "a", "price": Decimal("1.50"), "tags": ["x"],
            "at": dt.datetime(2013, 1, 1, tzinfo=dt.UTC), "kind": "new",
        },
        {"id": 2, "name": None, "price": None, "tags": None, "at": None, "kind": "old"},
    ]  # fmt: skip


def test_a_misspelt_json_field_is_in_no_row_and_fails(spark: SparkSession, tmp_path: Path) -> None:
    content = lines({"id": 1, "nmae": "a"}, {"id": 2, "nmae": "b"})

    with pytest.raises(CheckFailed) as stop:
        read(spark, put(tmp_path, a_json=content), spec=EVENT, format="json")

    assert stop.value.failed == {"raw.name.absent": 2}


def test_a_json_field_that_is_null_in_every_row_is_there(spark: SparkSession, tmp_path: Path) -> None:
    result = read(spark, put(tmp_path, a_json=lines({"id": 1, "name": None})), spec=EVENT, format="json")

    assert rows(result)[0]["kind"] == "none"
    assert result.report.violations["raw.parse"] == 0


def test_unparsable_json_is_counted(spark: SparkSession, tmp_path: Path) -> None:
    content = lines({"id": 1, "name": "a"}, {"id": "one", "name": "b"}) + '{"id": 3, "name"\n'

    result = read(spark, put(tmp_path, a_json=content), spec=EVENT, format="json", on_bad="drop")

    assert [row["id"] for row in rows(result)] == [1]
    assert result.report.dropped == {"raw.parse": 2}


def test_json_over_several_lines(spark: SparkSession, tmp_path: Path) -> None:
    content = json.dumps([{"id": 1, "name": "a"}, {"id": 2, "name": "b"}], indent=2)

    result = read(spark, put(tmp_path, a_json=content), spec=EVENT, format="json", options={"multiLine": "true"})

    assert [row["id"] for row in rows(result)] == [1, 2]


def parquet(path: Path, table: pa.Table, **more: Any) -> DataFile:
    pq.write_table(table, path, **more)
    return DataFile(f"file://{path}", path.stat().st_size)


def test_parquet_is_read_by_name_widened_and_filled(spark: SparkSession, tmp_path: Path) -> None:
    one = parquet(tmp_path / "a.parquet", pa.table({"name": ["a"], "id": pa.array([1], pa.int32()), "other": [1]}))
    two = parquet(tmp_path / "b.parquet", pa.table({"id": [2], "name": ["b"], "event-kind": ["new"]}))

    result = read(spark, (one, two), spec=EVENT, format="parquet")

    assert [(row["id"], row["name"], row["kind"]) for row in rows(result)] == [(1, "a", "none"), (2, "b", "new")]


def test_parquet_of_other_types_is_told(spark: SparkSession, tmp_path: Path) -> None:
    file = parquet(tmp_path / "a.parquet", pa.table({"id": ["1"], "name": ["a"]}))

    with pytest.raises(SchemaMismatch, match="id: got string, expected bigint"):
        read(spark, (file,), spec=EVENT, format="parquet")


def test_parquet_of_nanoseconds_is_told_with_its_cure(spark: SparkSession, tmp_path: Path) -> None:
    at = pa.array([0], pa.timestamp("ns", "UTC"))
    file = parquet(tmp_path / "a.parquet", pa.table({"id": [1], "name": ["a"], "at": at}))

    with pytest.raises(SchemaMismatch, match="coerce_timestamps"):
        read(spark, (file,), spec=EVENT, format="parquet")


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_no_file_is_no_rows(spark: SparkSession, kind: Any) -> None:
    result = read(spark, (), spec=EVENT, format=kind)

    assert result.frame.columns == list(EVENT.names)
    assert result.report.rows == (0,)


@pytest.mark.parametrize("kind", ["csv", "json", "parquet"])
def test_a_file_that_went_or_changed_is_named(spark: SparkSession, tmp_path: Path, kind: Any) -> None:
    (file,) = put(tmp_path, a_data="id,name\n1,a\n")

    with pytest.raises(InputChanged, match=r"source file\(s\) are gone(?s:.*)a\.data"):
        read(spark, (DataFile(file.uri + ".gone", 1),), spec=EVENT, format=kind)
    with pytest.raises(InputCorrupt, match="recorded 5"):
        read(spark, (DataFile(file.uri, 5),), spec=EVENT, format=kind)


def test_a_compressed_file_that_is_cut_short_is_named(spark: SparkSession, tmp_path: Path) -> None:
    whole = gzip.compress(f"{HEADER}\n".encode() + b"JFK,LAX,5,N1\n" * 100_000)
    (file,) = put(tmp_path, a_csv_gz=whole[: len(whole) // 2])

    with pytest.raises(InputCorrupt, match=r"a\.csv\.gz: cannot be unpacked to its end") as stop:
        read(spark, (file,))

    assert "land the file again, whole" in str(stop.value)


def test_whether_a_row_could_be_parsed_does_not_depend_on_the_columns_asked_for(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = put(tmp_path, a_csv=BAD)
    result = read(spark, files, on_bad="drop")

    assert result.frame.select("origin").count() == 1
    # Spark on its own converts the columns that a query needs, and finds nothing wrong with the others.
    plain = spark.read.schema("origin string, dest string, delay long, t string, bad string")
    lines = plain.options(header="true", columnNameOfCorruptRecord="bad", columnPruning="false").csv(files[0].uri)
    assert len(lines.where("bad is null").select("origin").collect()) == 2


def swapped_after_measuring(spark: SparkSession, folder: Path) -> Any:
    """What a job would use of a file that another process replaces, size and all, once its rows were measured."""
    files = put(folder, a_csv=f"{HEADER}\nJFK,BOS,1,N1\n")
    result = read(spark, files)
    put(folder, a_csv=f"{HEADER}\nJFK,BOS,x,N1\n")
    return [row["delay"] for row in rows(result)]


@pytest.fixture
def nothing_kept(spark: SparkSession) -> Iterator[None]:
    yield
    spark.catalog.clearCache()


@pytest.mark.usefixtures("nothing_kept")
def test_what_was_measured_is_what_is_used(spark: SparkSession, tmp_path: Path) -> None:
    assert swapped_after_measuring(spark, tmp_path) == [1]


def test_witness_a_source_that_is_not_kept_is_parsed_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "_KEPT_BYTES", -1)

    assert swapped_after_measuring(spark, tmp_path) == [None]

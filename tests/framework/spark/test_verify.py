from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import pytest
from annotated_types import Ge, Lt
from pydantic import Field
from pyspark.sql import SparkSession

from framework.datafile import DataFile
from framework.errors import CheckFailed, SetupError, StoreUnavailable
from framework.schema.model import Schema, schema_spec
from framework.schema.types import Drop, Warn
from framework.spark.columns import verify_columns
from framework.spark.verify import verify_output
from framework.spark.write import WriteFacts, write_output

pytestmark = pytest.mark.spark


class Flight(Schema, key=("carrier", "id"), rules={"lands_later": Warn("arrival >= departure")}):
    carrier: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    id: Annotated[int, Ge(0)]
    departure: int
    arrival: int | None
    fare: Annotated[float, Ge(0), Lt(1e6)] | None = None
    seats: Annotated[int, Drop(Ge(1))] | None = None
    tags: list[str] | None = None


SPEC = schema_spec(Flight)
DDL = "carrier string, id bigint, departure bigint, arrival bigint, fare double, seats bigint, tags array<string>"
GOOD = ("AA", 1, 10, 20, 1.5, 3, ["x"])


def row(**changes: Any) -> Any:
    return tuple({**dict(zip(SPEC.names, GOOD, strict=True)), **changes}.values())


def written(spark: SparkSession, tmp_path: Path, rows: Any, files: int = 2) -> tuple[list[DataFile], WriteFacts]:
    frame = verify_columns(spark.createDataFrame(rows, DDL).repartition(files, "id"), SPEC, where="test")
    facts = write_output(frame, SPEC, f"file://{tmp_path}/out", output="default")
    return [DataFile(f"file://{path}") for path in sorted((tmp_path / "out").glob("part-*"))], facts


def verify(spark: SparkSession, files: Any, facts: Any) -> Any:
    return verify_output(spark, files, SPEC, output="default", observed=facts)


def test_clean_rows_pass_and_every_check_has_its_zero(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=i) for i in range(10)])

    report = verify(spark, files, facts)

    assert sum(report.rows) == 10
    assert len(report.rows) == len(files)
    assert report.violations == dict.fromkeys((f"default.{check.name}" for check in SPEC.checks), 0)
    assert set(report.proven) == {
        "default.carrier.null",
        "default.carrier.pattern",
        "default.id.null",
        "default.id.ge",
        "default.departure.null",
        "default.fare.ge",
        "default.fare.lt",
        "default.key",
    }
    assert report.samples == {}


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"carrier": None}, {"default.carrier.null": 1}),
        ({"carrier": "aa"}, {"default.carrier.pattern": 1}),
        ({"id": -1}, {"default.id.ge": 1}),
        ({"fare": float("nan")}, {"default.fare.ge": 1, "default.fare.lt": 1}),
        ({"fare": 1e6}, {"default.fare.lt": 1}),
        ({"tags": ["x", None]}, {"default.tags.items.null": 1}),
        ({"id": 4}, {"default.key": 1}),
    ],
)
def test_a_broken_check_stops_with_its_count_and_a_key(
    spark: SparkSession, tmp_path: Path, changes: Any, failed: Any
) -> None:
    files, facts = written(
        spark,
        tmp_path,
        [*(row(id=i) for i in range(10)), row(id=77, **changes) if "id" not in changes else row(**changes)],
    )

    with pytest.raises(CheckFailed) as stop:
        verify(spark, files, facts)

    assert stop.value.failed == failed
    key = f"carrier={changes.get('carrier', 'AA') or 'null'}, id={changes.get('id', 77)}"
    assert all(key in line for line in stop.value.details)


def test_messages_hold_keys_only_and_five_at_most(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=i, carrier="secret stuff", departure=987654) for i in range(20)])

    with pytest.raises(CheckFailed) as stop:
        verify(spark, files, facts)

    assert stop.value.failed == {"default.carrier.pattern": 20}
    assert "987654" not in str(stop.value)
    assert str(stop.value).count("id=") == 5


def test_without_a_key_no_row_is_shown(spark: SparkSession, tmp_path: Path) -> None:
    spec = replace(SPEC, key=())
    files, facts = written(spark, tmp_path, [row(carrier="secret")])

    with pytest.raises(CheckFailed) as stop:
        verify_output(spark, files, spec, output="default", observed=facts)

    assert "secret" not in str(stop.value)


def test_warnings_are_counted_and_sampled_and_stop_nothing(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=1, arrival=5), row(id=2, arrival=None), row(id=3)])

    report = verify(spark, files, facts)

    assert report.violations["default.lands_later"] == 1
    assert report.samples == {"default.lands_later": ("carrier=AA, id=1",)}


def test_dropped_rows_are_reported_and_judged_no_more(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=1, seats=0, carrier="bad"), row(id=2)])

    report = verify(spark, files, facts)

    assert sum(report.rows) == 1
    assert report.dropped == {"default.seats.ge": 1}
    assert report.violations["default.seats.ge"] == 1
    assert report.violations["default.carrier.pattern"] == 0


def test_counts_that_differ_from_the_files_are_taken_again(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=1, seats=0), row(id=2)])
    # What Spark 4.2 reports when it had to compute a stage again.
    twice = replace(facts, rows=2 * facts.rows, dropped={name: 2 * count for name, count in facts.dropped.items()})

    report = verify(spark, files, twice)

    assert report.dropped == {"default.seats.ge": 1}
    assert sum(report.rows) == 1


def test_no_files_and_no_rows_pass(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [])

    assert sum(verify(spark, files, facts).rows) == 0
    assert verify(spark, [], facts).rows == ()


def test_only_the_given_files_count(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=i) for i in range(10)], files=3)
    bad, _ = written(spark, tmp_path / "other", [row(carrier="x")])
    Path(bad[0].uri.removeprefix("file://")).rename(tmp_path / "out" / "part-left-over.parquet")

    assert sum(verify(spark, files, facts).rows) == 10


def test_a_written_file_that_is_damaged_is_found(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=i) for i in range(1000)], files=1)
    path = Path(files[0].uri.removeprefix("file://"))
    whole = path.read_bytes()

    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        verify(spark, files, facts)

    path.with_name(f".{path.name}.crc").unlink()
    flipped = bytearray(whole)
    flipped[20] ^= 0xFF  # in the first page: of column carrier, whose pattern no footer proves
    path.write_bytes(flipped)
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        verify(spark, files, facts)


def test_a_page_that_only_spark_reads_is_checked_too(spark: SparkSession, tmp_path: Path) -> None:
    files, facts = written(spark, tmp_path, [row(id=i) for i in range(1000)], files=1)
    path = Path(files[0].uri.removeprefix("file://"))
    path.with_name(f".{path.name}.crc").unlink()
    content = bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(0).column(2)  # departure: the rule over the row reads it
    content[chunk.data_page_offset + chunk.total_compressed_size - 5] ^= 0x04
    path.write_bytes(content)

    with pytest.raises(StoreUnavailable, match="CRC checksum"):
        verify(spark, files, facts)


def test_footers_of_another_store_are_a_setup_error(spark: SparkSession, tmp_path: Path) -> None:
    _, facts = written(spark, tmp_path, [row()])

    with pytest.raises(SetupError, match="by Spark only"):
        verify(spark, [DataFile("s3a://bucket/part-0.parquet")], facts)

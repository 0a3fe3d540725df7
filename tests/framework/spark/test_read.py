import datetime as dt
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import pytest
from pydantic import AwareDatetime, Field, NaiveDatetime
from pyspark.sql import SparkSession

from framework.datafile import DataFile, local_path
from framework.errors import InputChanged, InputCorrupt, SchemaMismatch, SetupError
from framework.schema.model import Schema, schema_spec
from framework.schema.types import Float32, Int32
from framework.spark.columns import verify_columns
from framework.spark.files import check_files, reading
from framework.spark.read import read_published
from framework.spark.rows import frame_of_rows, rows_of
from framework.spark.write import write_output

pytestmark = pytest.mark.spark

NOON = dt.datetime(2013, 1, 1, 12, tzinfo=dt.UTC)
MIDNIGHT = dt.datetime(2013, 1, 1)  # noqa: DTZ001 a timestamp_ntz
Money = Annotated[Decimal, Field(max_digits=12, decimal_places=2)]


class Written(Schema):
    id: Int32
    speed: Float32 | None
    name: str


class Part(Schema):
    a: int
    b: str | None = None


class Asked(Schema):
    name: str
    id: int
    speed: float | None
    price: Money = Decimal("1.50")
    at: AwareDatetime = NOON
    local: NaiveDatetime = MIDNIGHT
    day: dt.date = dt.date(2013, 1, 1)
    raw: bytes = b"\x00\xff"
    text: str = "it's \\ \n"
    flag: bool = True
    nothing: str | None = None
    items: list[int] = [1, 2]  # noqa: RUF012 pydantic copies defaults
    none: list[str] = []  # noqa: RUF012 as above
    by_name: dict[str, float] = {"a": 0.1}  # noqa: RUF012 as above
    part: Part = Part(a=1)


WRITTEN, ASKED = schema_spec(Written), schema_spec(Asked)


def publish(spark: SparkSession, folder: Path, rows: int = 100, files: int = 2) -> list[DataFile]:
    frame = spark.range(rows).selectExpr("int(id) id", "float(id / 10) speed", "string(id) name").repartition(files)
    write_output(verify_columns(frame, WRITTEN, where="test"), WRITTEN, f"file://{folder}", output="default")
    return [DataFile(f"file://{path}", path.stat().st_size, None) for path in sorted(folder.glob("part-*"))]


def read(spark: SparkSession, files: Any, spec: Any = WRITTEN, written: Any = WRITTEN) -> Any:
    return read_published(spark, files, spec=spec, written=written, where="input flights")


def test_exactly_the_files_are_read(spark: SparkSession, tmp_path: Path) -> None:
    files = publish(spark, tmp_path / "a", files=4)
    publish(spark, tmp_path / "b")

    assert read(spark, files).count() == 100
    assert read(spark, files[:1]).count() < 100
    assert sorted(read(spark, files).inputFiles()) == sorted(file.uri.replace("file:///", "file:///") for file in files)


def test_older_and_narrower_data_is_widened_and_filled(spark: SparkSession, tmp_path: Path) -> None:
    files = publish(spark, tmp_path / "a", rows=4)

    frame = read(spark, files, spec=ASKED)

    assert frame.columns == list(ASKED.names)
    row = next(row for row in rows_of(frame) if row["id"] == 3)
    assert row == {
        "name": "3",
        "id": 3,
        "speed": pytest.approx(0.3),
        "price": Decimal("1.50"),
        "at": NOON,
        "local": MIDNIGHT,
        "day": dt.date(2013, 1, 1),
        "raw": b"\x00\xff",
        "text": "it's \\ \n",
        "flag": True,
        "nothing": None,
        "items": [1, 2],
        "none": [],
        "by_name": {"a": 0.1},
        "part": {"a": 1, "b": None},
    }
    assert verify_columns(frame, ASKED, where="test").schema["id"].dataType.simpleString() == "bigint"


def test_what_a_consumer_needs_and_the_producer_lacks_is_told_at_once(spark: SparkSession, tmp_path: Path) -> None:
    class More(Schema):
        id: str
        weight: float
        speed: float

    with pytest.raises(SchemaMismatch) as stop:
        read(spark, publish(spark, tmp_path / "a"), spec=schema_spec(More))

    assert [line.partition(":")[0] for line in stop.value.details] == ["id", "weight", "speed"]
    assert stop.value.where == "input flights"
    assert stop.value.next_step is not None
    assert stop.value.next_step.startswith("declare in More, this job's schema of its input")


def test_no_file_is_an_empty_frame(spark: SparkSession) -> None:
    frame = read(spark, [], spec=ASKED)

    assert frame.columns == list(ASKED.names)
    assert frame.count() == 0


@pytest.mark.parametrize("folder", ["a b", "a%20b", "a!2fb", "ünïcode", "a=b", "a,b"])
def test_odd_folder_names_are_read_as_they_are(spark: SparkSession, tmp_path: Path, folder: Any) -> None:
    files = publish(spark, tmp_path / folder)

    with reading(files, where="input"):
        assert read(spark, files).count() == 100


@pytest.mark.parametrize("folder", ["a[1]", "a*b", "a?b", "a{x}", "a\\b"])
def test_names_that_spark_takes_for_patterns_are_refused(spark: SparkSession, tmp_path: Path, folder: Any) -> None:
    files = publish(spark, tmp_path / "a")
    copies = tmp_path / folder
    (tmp_path / "a").rename(copies)
    renamed = [DataFile(file.uri.replace(str(tmp_path / "a"), str(copies)), file.bytes) for file in files]

    with pytest.raises(SetupError, match="takes for a pattern"):
        read(spark, renamed)


def test_such_a_name_would_bring_in_a_neighbours_rows(spark: SparkSession, tmp_path: Path) -> None:
    files = publish(spark, tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "axb")
    (tmp_path / "a").rename(tmp_path / "a?b")
    uris = [file.uri.replace(f"{tmp_path}/a", f"{tmp_path}/a?b") for file in files]

    assert spark.read.schema("id int").parquet(*uris).count() == 200


def damage_length(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def damage_page(path: Path) -> None:
    without_hadoops_checksum(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 4] ^= 0x40
    path.write_bytes(content)


def without_hadoops_checksum(path: Path) -> None:
    """On a local disk Hadoop keeps a checksum beside the file; object stores and copies have none."""
    path.with_name(f".{path.name}.crc").unlink()


def damage_all(path: Path) -> None:
    path.write_bytes(b"not a parquet file" * 100)


def remove(path: Path) -> None:
    path.unlink()


def test_a_folders_name_is_never_taken_for_a_column(spark: SparkSession, tmp_path: Path) -> None:
    files = [*publish(spark, tmp_path / "id=7/a", rows=3), *publish(spark, tmp_path / "id=8/b", rows=3)]

    found = read(spark, files)

    assert sorted(row.id for row in found.collect()) == [0, 0, 1, 1, 2, 2]
    # Witness: read from a folder above, the names win over what is written.
    below = spark.read.option("basePath", str(tmp_path)).parquet(*(file.uri for file in files))
    assert {row.id for row in below.collect()} == {7, 8}


@pytest.mark.parametrize(
    ("damage", "error"),
    [(damage_length, InputCorrupt), (damage_all, InputCorrupt), (remove, InputChanged)],
)
def test_damage_is_found_before_spark_starts(spark: SparkSession, tmp_path: Path, damage: Any, error: Any) -> None:
    files = publish(spark, tmp_path / "a")
    damage(local_path(files[1].uri))

    with pytest.raises(error, match=r"file\(s\)") as stop:
        read(spark, files)

    assert len(stop.value.details) == 1
    assert files[1].uri in stop.value.details[0]


@pytest.mark.parametrize(
    ("damage", "error"),
    [(damage_length, InputCorrupt), (damage_page, InputCorrupt), (damage_all, InputCorrupt), (remove, InputChanged)],
)
def test_damage_while_spark_reads_names_the_file(spark: SparkSession, tmp_path: Path, damage: Any, error: Any) -> None:
    files = publish(spark, tmp_path / "a", rows=10_000)
    frame = read(spark, files)
    damage(local_path(files[1].uri))

    with pytest.raises(error) as stop, reading(files, where="input flights"):
        frame.selectExpr("sum(id)", "max(name)", "max(speed)").collect()

    assert stop.value.where == "input flights"
    assert len(stop.value.details) == 1
    assert files[1].uri in stop.value.details[0]
    assert "\tat org.apache" not in str(stop.value)


def test_without_page_checksums_a_flipped_bit_is_read_as_data(spark: SparkSession, tmp_path: Path) -> None:
    files = publish(spark, tmp_path / "a", rows=1000, files=1)
    path = local_path(files[0].uri)
    assert path is not None
    total = read(spark, files).selectExpr("sum(id)").collect()
    without_hadoops_checksum(path)
    content = bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(0).column(0)
    content[chunk.data_page_offset + chunk.total_compressed_size - 100] ^= 0x04
    path.write_bytes(content)

    with pytest.raises(InputCorrupt, match="checksum"), reading(files, where="input"):
        read(spark, files).selectExpr("sum(id)").collect()
    blind = spark.read.option("parquet.page.verify-checksum.enabled", "false").schema("id int").parquet(str(path))
    assert blind.selectExpr("sum(id)").collect() != total


def test_other_errors_pass_through(spark: SparkSession, tmp_path: Path) -> None:
    files = publish(spark, tmp_path / "a")

    with pytest.raises(Exception, match="DIVIDE_BY_ZERO"), reading(files, where="input"):
        read(spark, files).selectExpr("sum(1 / (id - id))").collect()


def test_rows_are_compared_with_what_is_recorded(spark: SparkSession, tmp_path: Path) -> None:
    files = publish(spark, tmp_path / "a", files=1)
    wrong = DataFile(files[0].uri, files[0].bytes, 99)

    with pytest.raises(InputCorrupt, match="100 rows, recorded 99"):
        check_files([wrong], where="input")
    check_files([DataFile("s3a://bucket/x", 1, 1)], where="input")


def test_rows_go_in_and_come_out(spark: SparkSession) -> None:
    row = {"id": 1, "speed": None, "name": "x"}

    assert rows_of(frame_of_rows(spark, [row], WRITTEN)) == [row]

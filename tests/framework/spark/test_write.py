import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import pyarrow.parquet as pq
import pytest
from annotated_types import Ge, Le, MinLen
from pydantic import AwareDatetime, Field
from pyspark.sql import SparkSession

from framework.errors import StoreUnavailable
from framework.schema.model import Schema, schema_spec
from framework.schema.spec import Check, Column, SchemaSpec
from framework.schema.types import Drop, Warn
from framework.spark.columns import verify_columns
from framework.spark.measure import any_broken, broken, count_broken, without_broken
from framework.spark.write import recount_drops, write_output

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[3]


class Flight(Schema, key=("id",), rules={"late": Drop("delay > 5 or delay is null")}):
    id: int
    carrier: Annotated[str, Drop(MinLen(2))]
    delay: Annotated[int, Drop(Ge(0)), Warn(Le(100))] | None


SPEC = schema_spec(Flight)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def flights(spark: SparkSession, rows: Any) -> Any:
    frame = spark.createDataFrame(rows, "id bigint, carrier string, delay bigint")
    return verify_columns(frame, SPEC, where="test")


def test_dropped_rows_are_counted_by_each_rule_before_they_go(spark: SparkSession, tmp_path: Path) -> None:
    rows = [(1, "AA", 10), (2, "A", -1), (3, "BB", -7), (4, "CC", 3), (5, "DD", None), (6, None, 500)]

    facts = write_output(flights(spark, rows), SPEC, f"file://{tmp_path}/out", output="default")

    left = {row["id"] for row in spark.read.parquet(f"{tmp_path}/out").collect()}
    assert left == {1, 5, 6}
    assert facts.rows == 3
    assert facts.dropped == {"default.carrier.min_length": 1, "default.delay.ge": 2, "default.late": 3}
    assert recount_drops(facts, SPEC, output="default") == facts.dropped


def test_without_drop_rules_rows_are_counted_all_the_same(spark: SparkSession, tmp_path: Path) -> None:
    spec = SchemaSpec("Ids", (Column("id", "long", nullable=False),))

    facts = write_output(spark.range(0, 1000, 1, 3), spec, f"file://{tmp_path}/out", output="default")

    assert (facts.rows, facts.dropped) == (1000, {})
    assert sum(pq.read_metadata(path).num_rows for path in files(tmp_path / "out")) == 1000


def test_no_rows_still_write_a_file_with_the_schema(spark: SparkSession, tmp_path: Path) -> None:
    write_output(flights(spark, []), SPEC, f"file://{tmp_path}/out", output="default")

    (path,) = files(tmp_path / "out")
    assert pq.read_schema(path).names == ["id", "carrier", "delay"]


def test_moments_are_micros_and_comments_and_checksums_are_in_the_file(spark: SparkSession, tmp_path: Path) -> None:
    class At(Schema):
        at: Annotated[AwareDatetime, Field(description="when it left")]

    spec = schema_spec(At)
    frame = verify_columns(spark.sql("select timestamp'2013-01-01 00:00:00.123456Z' at"), spec, where="test")

    write_output(frame, spec, f"file://{tmp_path}/out", output="default")

    (path,) = files(tmp_path / "out")
    assert str(pq.read_schema(path).field("at").type) == "timestamp[us, tz=UTC]"
    assert pq.read_metadata(path).row_group(0).column(0).statistics.has_min_max
    assert "when it left" in pq.read_metadata(path).metadata[b"org.apache.spark.sql.parquet.row.metadata"].decode()


def many_rules(count: int) -> SchemaSpec:
    """``count`` rules over six columns, so that each column is in several."""
    texts = [
        "id >= 0",
        "n > 0",
        "length(s) >= 1",
        "s rlike '^k'",
        "f < 1",
        "not isnan(f)",
        "m in ('a', 'b')",
        "length(o) <= 3",
    ]
    rules = tuple(
        Check(f"r{i}", None, "sql", texts[i % len(texts)] + (f" or id = {1000 + i}" if i >= len(texts) else ""), "drop")
        for i in range(count)
    )
    kinds = {"id": "long", "n": "integer", "s": "string", "f": "double", "m": "string", "o": "string"}
    return SchemaSpec("Many", tuple(Column(name, kind, nullable=True) for name, kind in kinds.items()), rules=rules)


def tiny(spark: SparkSession) -> Any:
    nan = float("nan")
    rows = [(1, 1, "k1", 0.5, "a", None), (-1, 0, "k1", 0.5, "a", "xxxx"), (2, None, "z", nan, "c", "x"), (None,) * 6]
    return spark.createDataFrame(rows, "id long, n int, s string, f double, m string, o string")


@pytest.mark.parametrize("count", [1, 15, 62, 63, pytest.param(130, marks=pytest.mark.long)])
def test_many_rules_on_a_tiny_frame_end(spark: SparkSession, tmp_path: Path, count: Any) -> None:
    spec = many_rules(count)

    facts = write_output(tiny(spark), spec, f"file://{tmp_path}/out", output="o")

    bad = list(tiny(spark).selectExpr(*(f"({r.argument}) <=> false as {r.name}" for r in spec.rules)).collect())
    assert facts.dropped == {f"o.r{i}": sum(row[i] for row in bad) for i in range(count)}
    assert facts.rows == sum(not any(row) for row in bad) == spark.read.parquet(f"{tmp_path}/out").count()


@pytest.mark.parametrize("count", [0, 3, 70])
def test_rows_that_break_nothing_are_kept(spark: SparkSession, count: Any) -> None:
    spec = many_rules(count)

    kept = without_broken(tiny(spark), spec.rules, spec)

    assert kept.columns == list(spec.names)
    assert kept.count() == tiny(spark).where(f"not ({any_broken(spec.rules, spec)})").count()


def test_counts_are_by_check(spark: SparkSession) -> None:
    spec = many_rules(3)

    assert count_broken(tiny(spark), spec.rules, spec) == {"r0": 1, "r1": 1, "r2": 0}
    assert count_broken(tiny(spark), [], spec) == {}
    assert broken(Check("id.null", "id", "null"), spec) == "`id` IS NULL"


def test_an_existing_place_is_never_written_over(spark: SparkSession, tmp_path: Path) -> None:
    write_output(flights(spark, [(1, "AA", 10)]), SPEC, f"file://{tmp_path}/out", output="default")

    with pytest.raises(Exception, match="PATH_ALREADY_EXISTS"):
        write_output(flights(spark, [(2, "AA", 10)]), SPEC, f"file://{tmp_path}/out", output="default")


@pytest.mark.parametrize("place", ["/proc/nowhere/out", "/sys/nowhere/out"])
def test_a_store_that_refuses_is_said_to(spark: SparkSession, place: Any) -> None:
    with pytest.raises(StoreUnavailable, match=r"refuses|read-only") as stop:
        write_output(flights(spark, [(1, "AA", 10)]), SPEC, f"file://{place}", output="default")

    assert stop.value.where == f"file://{place}"


def test_a_full_store_is_said_to_be_full(spark: SparkSession, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(small)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    spec = SchemaSpec("Ids", (Column("id", "long", nullable=True), Column("x", "string", nullable=True)))
    try:
        with pytest.raises(StoreUnavailable, match="the store is full"):
            rows = spark.range(100_000).selectExpr("id", "sha2(string(id), 512) x")
            write_output(rows, spec, f"file://{small}/out", output="default")
    finally:
        # Lazy: Spark leaves the half-written file open until its task is collected.
        subprocess.run(["umount", "--lazy", str(small)], check=True)


NAIVE = """
import os, sys, threading
from pyspark.sql import Observation, functions as F
from framework.spark.archive import archive_home
from framework.spark.session import SessionSettings, open_session
from framework.spark.measure import broken
from tests.framework.spark.test_write import many_rules, tiny
spec = many_rules(int(sys.argv[1]))
with open_session(SessionSettings("naive", archive_dir=archive_home(), short_job=True)) as spark:
    print("STARTED", flush=True)
    counts = [F.count_if(F.expr(broken(rule, spec))).alias(rule.name) for rule in spec.rules]
    bad = " OR ".join(broken(rule, spec) for rule in spec.rules)
    seen = Observation()
    kept = tiny(spark).withColumn("bad", F.expr(bad)).observe(seen, F.count_if("bad").alias("bad"), *counts)
    kept.where("not bad").drop("bad").write.parquet(sys.argv[2])
    print("ENDED", flush=True)
os._exit(0)
"""


@pytest.mark.long
def test_with_the_rules_themselves_in_both_places_fifteen_would_not_end(tmp_path: Path) -> None:
    def ends(rules: int) -> bool:
        command = [sys.executable, "-c", NAIVE, str(rules), str(tmp_path / f"out{rules}")]
        with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE) as process:
            try:
                return b"ENDED" in process.communicate(timeout=90)[0]
            except subprocess.TimeoutExpired as late:
                assert b"STARTED" in (late.stdout or b"")
                return False
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    assert ends(2)
    assert not ends(15)

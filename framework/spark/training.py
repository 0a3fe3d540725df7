"""The training run of the class-data archive, in a process of its own: what it loads is what later starts find ready.

Run by ``framework.spark.archive`` as ``python -m framework.spark.training REQUEST``.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from pyspark.sql import Observation, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.window import Window

from framework.spark.archive import dump_options
from framework.spark.session import Launch, prepare, running
from framework.spark.settings import SessionSettings, effective_settings
from framework.spark.tuning import SHORT_JOB

_DUMP_TIMEOUT_S = 500  # the JVM writes the archive while it exits: 12 to 15 s on two quiet cores


def main(request: Mapping[str, str]) -> None:
    conf = {"spark.sql.shuffle.partitions": "2"}
    if request["class_path"]:
        conf["spark.driver.extraClassPath"] = request["class_path"]
    settings = SessionSettings("class-data archive", master="local[2]", conf=conf)
    plain = prepare(settings, os.environ)
    # What is archived are classes, whatever compiler or collector ran beside: the quick ones leave the cores alone.
    dumping = effective_settings(settings, java_options=(*SHORT_JOB, *dump_options(Path(request["archive"]))))
    with running(Launch(dumping, plain.environ, exit_timeout_s=_DUMP_TIMEOUT_S)) as spark:
        exercise(spark, request["data"])


def exercise(spark: SparkSession, folder: str) -> None:
    """A little of everything that jobs and this framework do, twice: the second time takes other code paths."""
    for _ in range(2):
        rows = spark.range(1000).selectExpr(
            "id", "id % 7 as k", "cast(id as string) as s", "cast(id as decimal(12,2)) as d", "id / 3 as f",
            "date_add(date'2020-01-01', cast(id as int)) as day", "timestamp_seconds(id) as t",
        )  # fmt: skip
        seen = Observation()
        count = F.count(F.lit(1)).alias("rows")
        rows.observe(seen, count).write.mode("overwrite").parquet(f"{folder}/p")
        assert seen.get["rows"] == 1000
        back = spark.read.schema(rows.schema).parquet(f"{folder}/p")
        means = back.groupBy("k").agg(F.sum("id"), F.max("s"), F.avg("f"), F.count("*").alias("n")).orderBy("k")
        means.collect()
        back.join(means, "k").where("s like '1%' and s rlike '^1'").limit(5).collect()
        back.join(F.broadcast(means), "k", "left").select(F.row_number().over(Window.orderBy("id"))).limit(5).collect()
        back.select(F.xxhash64("id", "s"), F.sum(F.expr("if(isnull(s), 1, 0)")).over(Window.partitionBy("k"))).collect()
        spark.createDataFrame([(1, "a")], "a int, b string").collect()
        back.write.mode("overwrite").option("header", "true").csv(f"{folder}/c")
        lines = spark.read.schema(rows.schema).option("header", "true").csv(f"{folder}/c")
        lines.agg(F.count_if(F.col("id") > 3)).collect()
        back.write.mode("overwrite").json(f"{folder}/j")
        spark.read.schema(rows.schema).json(f"{folder}/j").distinct().count()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

"""What the list of allowed settings is for: without it, a line of configuration is code. And the list against Spark's."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from framework.config import ExportedConfig, RunFacts
from framework.driver import main
from framework.identity import Epoch, RunKey
from framework.sparkconf import refusals
from tests.framework.spark.children import child
from tests.framework.spark.registered import registered

pytestmark = pytest.mark.spark

EVIL = """
import os
from pathlib import Path
Path(os.environ["HOME"], "ran").write_text("mine")
from pyspark.daemon import manager
manager()
"""
# Each is refused; each takes effect in a session that nobody asked.
ATTACKS = {
    "spark.driver.extraJavaOptions": "-Dattack=taken",
    "spark.extraListeners": "org.apache.spark.scheduler.StatsReportListener",
    "spark.python.daemon.module": "evil",
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
    "spark.eventLog.dir": "${env:ATTACK}",
    "spark.sql.optimizer.excludedRules": "org.apache.spark.sql.catalyst.optimizer.ColumnPruning",
}


def test_without_the_list_a_setting_is_code_or_goes_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(EVIL)

    seen = child(
        f"""
from dataclasses import replace
settings = replace(settings, conf={ATTACKS!r} | dict(settings.conf))
"""
        """
sys.path.append(str(folder))
from pyspark.sql import functions as F
with open_session(settings) as spark:
    jvm = spark.sparkContext._jvm
    seen["property"] = jvm.java.lang.System.getProperty("attack")
    entries = getattr(getattr(jvm.org.apache.spark.internal.config, "package$"), "MODULE$")
    seen["folder"] = spark.sparkContext._jsc.sc().conf().get(entries.EVENT_LOG_DIR())
    seen["rules"] = spark.conf.get("spark.sql.optimizer.excludedRules")
    listeners = spark.sparkContext._jsc.sc().listenerBus().listeners()
    seen["listeners"] = [one.getClass().getName() for one in listeners if "StatsReport" in one.getClass().getName()]
    path = jvm.org.apache.hadoop.fs.Path("file:///")
    seen["store"] = path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).getClass().getSimpleName()
    spark.range(4).select(F.udf(lambda x: x)("id")).collect()
seen["python"] = (folder / "ran").read_text()
""",
        tmp_path,
        ATTACK="what the environment holds",
        HOME=str(tmp_path),
    )

    assert seen == {
        "property": "taken",
        "folder": "what the environment holds",
        "rules": ATTACKS["spark.sql.optimizer.excludedRules"],
        "store": "RawLocalFileSystem",
        "listeners": [ATTACKS["spark.extraListeners"]],
        "python": "mine",
    }
    assert len(refusals(ATTACKS)) == len(ATTACKS)


def test_a_driver_does_not_trust_its_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = ExportedConfig(
        key=RunKey("flights", "flights.daily", "delays", "20130101T000000Z"),
        epoch=Epoch("incarnation", 1, 1),
        job="jobs.flights.nowhere:Nothing",
        run=RunFacts(run_id="manual", run_after=datetime(2013, 1, 1, tzinfo=UTC)),
        spark_conf=ATTACKS,
        workspace=str(tmp_path / "workspace"),
    )
    (tmp_path / "config").write_bytes(config.json_bytes())

    code = main(["--config", str(tmp_path / "config"), "--result", str(tmp_path / "result")])

    result = json.loads((tmp_path / "result").read_text())
    assert (code, result["verdict"], result["error"]["error"]) == (64, "failed", "ConfigError")
    assert [key for key in ATTACKS if key not in result["error"]["message"]] == []
    assert [value for value in ATTACKS.values() if value in capsys.readouterr().err] == []
    assert not (tmp_path / "workspace").exists()


def test_no_setting_that_spark_knows_loads_code_or_bends_results(spark: SparkSession) -> None:
    """For the next version of Spark: what it adds to a family is read here, and only a number or a flag gets in."""
    known = registered(spark)
    assert len(known) > 1000

    flags = {key for key in known if not refusals({key: "true"}) or not refusals({key: "1"})}
    names = {key for key in known if not refusals({key: "com.example.Evil"}) or not refusals({key: "/tmp/x"})}

    assert names == set()
    assert len(flags) > 80
    bent = re.compile(r"incorrect|wrong result|legacy|ignore corrupt|unsafe|not safe", re.IGNORECASE)
    assert {key for key in flags if bent.search(key + known[key][1])} == set()

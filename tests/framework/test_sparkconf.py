"""The table of Spark settings: what an author may set, and that nothing else passes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import MAX_LINES, ConfigError
from framework.sparkconf import ALLOWED, CODE, FORCED, PLATFORM, REFUSED, UNKNOWN, refusals, require_allowed

EXACT = {name for name in ALLOWED if not name.endswith(".*")} | set(FORCED)
FAMILIES = tuple(name.removesuffix("*") for name in ALLOWED if name.endswith(".*"))

RIGHT: dict[str, Any] = {
    "spark.sql.shuffle.partitions": 8,
    "spark.sql.adaptive.enabled": False,
    "spark.sql.adaptive.skewJoin.skewedPartitionFactor": 2.5,
    "spark.sql.adaptive.advisoryPartitionSizeInBytes": "64MB",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.broadcastTimeout": "300",
    "spark.driver.memory": "2g",
    "spark.executor.memoryOverhead": "512",
    "spark.memory.fraction": 0.7,
    "spark.memory.offHeap.enabled": "TRUE",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.parquet.compression.codec": "ZSTD",
    "spark.serializer": "org.apache.spark.serializer.KryoSerializer",
    "spark.network.timeout": "10min",
    "spark.log.level": "error",
    "spark.ui.enabled": "true",
}


@pytest.mark.parametrize("key", RIGHT)
def test_tuning_is_the_authors(key: str) -> None:
    assert refusals({key: RIGHT[key]}) == ()


def test_what_the_platform_forces_may_be_said_but_not_otherwise() -> None:
    assert refusals(FORCED) == ()
    for key, value in FORCED.items():
        assert refusals({key: f"{value}x"}) == (f"{key}: {PLATFORM}, to {value}",)


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("spark.driver.extraJavaOptions", CODE),
        ("spark.driver.extraClassPath", CODE),
        ("spark.jars", CODE),
        ("spark.jars.packages", CODE),
        ("spark.jars.ivySettings", CODE),
        ("spark.plugins", CODE),
        ("spark.extraListeners", CODE),
        ("spark.sql.extensions", CODE),
        ("spark.sql.catalog.spark_catalog", CODE),
        ("spark.sql.catalog.mine.uri", CODE),
        ("spark.sql.queryExecutionListeners", CODE),
        ("spark.metrics.conf.driver.sink.x.class", CODE),
        ("spark.python.daemon.module", CODE),
        ("spark.pyspark.python", CODE),
        ("spark.kryo.registrator", CODE),
        ("spark.ui.filters", CODE),
        ("spark.sql.sources.commitProtocolClass", CODE),
        ("spark.hadoop.fs.s3a.endpoint", PLATFORM),
        ("spark.hadoop.fs.s3a.aws.credentials.provider", PLATFORM),
        ("spark.hadoop.mapreduce.outputcommitter.factory.class", PLATFORM),
        ("spark.master", PLATFORM),
        ("spark.app.name", PLATFORM),
        ("spark.submit.deployMode", PLATFORM),
        ("spark.kubernetes.namespace", PLATFORM),
        ("spark.kubernetes.authenticate.driver.serviceAccountName", PLATFORM),
        ("spark.driver.host", PLATFORM),
        ("spark.driver.bindAddress", PLATFORM),
        ("spark.executorEnv.LD_PRELOAD", PLATFORM),
        ("spark.eventLog.dir", PLATFORM),
        ("spark.local.dir", PLATFORM),
        ("spark.redaction.regex", PLATFORM),
        ("spark.speculation", PLATFORM),
        ("spark.sql.warehouse.dir", PLATFORM),
        ("spark.sql.legacy.timeParserPolicy", PLATFORM),
        ("spark.sql.sources.partitionOverwriteMode", PLATFORM),
        ("spark.sql.optimizer.decorrelateSubqueryLegacyIncorrectCountHandling.enabled", UNKNOWN),
        ("spark.sql.parquet.respectSummaryFiles", UNKNOWN),
        ("spark.shuffle.checksum.enabled", UNKNOWN),
        ("fs.s3a.endpoint", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_everything_else_is_refused_with_its_reason(key: str, reason: str) -> None:
    for value in ("true", "1", "com.example.Evil"):
        (line,) = refusals({key: value})
        assert reason in line


def test_the_table_of_reasons_refuses_nothing_that_is_allowed() -> None:
    assert [name for name in REFUSED if name in EXACT or f"{name}." in FAMILIES] == []


HOSTILE = ("com.example.Evil", "${env:HOME}", "${spark.hadoop.fs.s3a.secret.key}", "s3a://elsewhere/", "-Xmx1g -Devil=1",
           "1\n", "1 ", "", "1;2", "٣", "1\u212a", "tru\u0435", None, ["1"], {"a": 1}, b"1", float("nan"), float("inf"))  # fmt: skip


@pytest.mark.parametrize("name", ALLOWED)
def test_no_form_is_free_text(name: str) -> None:
    key = name.replace("*", "customCostEvaluatorClass")

    assert [value for value in HOSTILE if not refusals({key: value})] == []


def _known(key: str) -> bool:
    return key in EXACT or key.startswith(FAMILIES)


DOTTED = st.lists(st.text("abcKM.*_-= \nеé1", max_size=6) | st.sampled_from(["sql", "driver", "adaptive"])).map(
    ".".join
)
MUTATED = st.tuples(st.sampled_from(sorted(ALLOWED)), st.sampled_from([" ", "x", ".x", ".", "\0", "=1 --conf a", "е"]))
KEYS = st.text() | DOTTED.map("spark.".__add__) | MUTATED.map("".join) | MUTATED.map(lambda both: both[0].upper())


@given(KEYS.filter(lambda key: not _known(key)), st.sampled_from(["1", "true", "512m", "snappy", "UTC"]))
def test_no_key_outside_the_table_passes(key: str, value: str) -> None:
    assert len(refusals({key: value})) == 1


@given(st.sampled_from(FAMILIES), st.text("a.=- \n$", max_size=5))
def test_a_family_has_no_room_for_more_than_a_name(family: str, rest: str) -> None:
    wrong = not rest or set(rest) & set("= \n$") or "" in rest.split(".")

    assert bool(refusals({family + rest: "1"})) == bool(wrong)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("spark.sql.shufle.partitions", "spark.sql.shuffle.partitions"),
        ("sql.shuffle.partitions", "spark.sql.shuffle.partitions"),
        ("spark.sql.adaptve.skewJoin.enabled", "spark.sql.adaptive.skewJoin.enabled"),
        ("spark.Driver.Memory", "spark.driver.memory"),
        ("spark.sql.files.ignoreCorruptFile", "spark.sql.files.ignoreCorruptFiles"),
    ],
)
def test_a_misspelt_key_is_told_the_nearest(key: str, nearest: str) -> None:
    assert refusals({key: "1"}) == (f"{key}: {UNKNOWN} (did you mean {nearest!r}?)",)


def test_all_are_told_at_once_bounded_and_without_values() -> None:
    conf: dict[str, object] = {f"spark.x{n}.{'y' * 500}": "hunter2" for n in range(50)}
    conf |= {"spark.driver.memory": "hunter2", "spark.sql.ansi.enabled": "hunter2", "spark.ui.enabled": "true"}

    with pytest.raises(ConfigError) as caught:
        require_allowed(conf, where="task x")

    assert len(caught.value.details) == 52
    assert not caught.value.retryable
    assert len(str(caught.value).splitlines()) == MAX_LINES
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in "".join(caught.value.details)


def test_a_templates_value_waits_until_it_is_rendered_its_key_does_not() -> None:
    conf = {"spark.driver.memory": "{{ params.memory }}", "spark.plugins": "{{ params.plugin }}"}

    assert refusals(conf, rendered=False) == (f"spark.plugins: {CODE}",)
    assert len(refusals(conf)) == 2

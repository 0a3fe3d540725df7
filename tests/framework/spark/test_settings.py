from pathlib import Path
from typing import Any

import pytest

from framework.errors import ConfigError
from framework.spark.settings import SessionSettings, Setting, effective_settings, submit_arguments, submit_conf


def effective(settings: SessionSettings, **more: Any) -> dict[str, Setting]:
    return {setting.key: setting for setting in effective_settings(settings, **more)}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("spark.sql.session.timeZone", "UTC"),
        ("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS"),
        ("spark.sql.ansi.enabled", "true"),
        ("spark.sql.files.ignoreCorruptFiles", "false"),
        ("spark.sql.files.ignoreMissingFiles", "false"),
        ("spark.hadoop.parquet.page.write-checksum.enabled", "true"),
        ("spark.hadoop.parquet.page.verify-checksum.enabled", "true"),
        ("spark.driver.bindAddress", "127.0.0.1"),
    ],
)
def test_platform_settings_come_last_and_say_what_they_replaced(key: Any, value: Any) -> None:
    asked = SessionSettings("a", conf={key: "author's"}, team_conf={key: "team's"})

    setting = effective(asked, submit={key: "submitted"})[key]

    assert (setting.value, setting.set_by) == (value, "platform")
    assert setting.over == (("author", "author's"), ("team", "team's"), ("spark-submit", "submitted"))


def test_the_nearer_layer_wins_where_the_platform_has_no_word() -> None:
    asked = SessionSettings("a", conf={"spark.x": "author"}, team_conf={"spark.x": "team", "spark.y": "team"})

    settings = effective(asked, submit={"spark.y": "submit", "spark.z": "submit"})

    assert [(settings[f"spark.{key}"].value, settings[f"spark.{key}"].set_by) for key in "xyz"] == [
        ("author", "author"),
        ("team", "team"),
        ("submit", "spark-submit"),
    ]


def test_platform_defaults_give_way() -> None:
    assert effective(SessionSettings("a"))["spark.ui.enabled"].value == "false"
    changed = effective(SessionSettings("a", conf={"spark.ui.enabled": "true"}))["spark.ui.enabled"]
    assert (changed.value, changed.set_by, changed.over) == ("true", "author", (("platform", "false"),))


@pytest.mark.parametrize(
    ("asked", "submitted", "master"),
    [
        (None, {}, "local[2]"),
        (None, {"spark.master": "local[8]"}, "local[8]"),
        ("local[1]", {"spark.master": "x"}, "local[1]"),
    ],
)
def test_master_is_the_callers_else_the_submitted_else_local(asked: Any, submitted: Any, master: Any) -> None:
    assert effective(SessionSettings("a", master=asked), submit=submitted)["spark.master"].value == master


def test_only_a_local_driver_is_bound_to_this_machine() -> None:
    assert "spark.driver.host" not in effective(SessionSettings("a", master="k8s://https://example.org"))


def test_java_options_are_added_to_the_authors() -> None:
    asked = SessionSettings("a", conf={"spark.driver.extraJavaOptions": "-Dmine=1"})

    setting = effective(asked, java_options=("-Xshare:auto",))["spark.driver.extraJavaOptions"]

    assert setting.value == "-Dmine=1 -Xshare:auto"
    assert (setting.set_by, setting.over) == ("platform", (("author", "-Dmine=1"),))
    assert "spark.driver.extraJavaOptions" not in effective(SessionSettings("a"))


@pytest.mark.parametrize(
    "key",
    ["spark.hadoop.fs.s3a.secret.key", "spark.ssl.keyPassword", "spark.my.token", "spark.hadoop.fs.s3a.access.key"],
)
def test_secrets_are_not_shown(key: Any) -> None:
    setting = effective(SessionSettings("a", conf={key: "hunter2"}))[key]

    assert setting.shown == "***"
    assert setting.value == "hunter2"


def test_submit_arguments_are_taken_apart() -> None:
    line = (
        "--master local[4] --conf spark.a=1 --conf=spark.b=x=y -c 'spark.c=two words' --driver-memory 2g "
        "--jars a.jar,b.jar --verbose pyspark-shell"
    )

    found = submit_arguments({"PYSPARK_SUBMIT_ARGS": line})

    assert found.conf == {
        "spark.master": "local[4]",
        "spark.a": "1",
        "spark.b": "x=y",
        "spark.c": "two words",
        "spark.driver.memory": "2g",
        "spark.jars": "a.jar,b.jar",
    }
    assert found.command_line() == "--verbose pyspark-shell"


def test_no_submit_arguments_are_none() -> None:
    assert submit_arguments({}).command_line() == "pyspark-shell"
    assert submit_arguments({}).conf == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--conf spark.a", "not KEY=VALUE"),
        ("--conf", "lacks its value"),
        ("--name 'x", "quotes"),
        ("--jars", "lacks its value"),
    ],
)
def test_unreadable_submit_arguments_are_told(line: Any, said: Any) -> None:
    with pytest.raises(ConfigError, match=said):
        submit_arguments({"PYSPARK_SUBMIT_ARGS": line})


def test_the_defaults_file_counts_as_spark_submits(tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text("# comment\nspark.a  1\nspark.b=2\n\nspark.c three words\n")
    environ = {"SPARK_CONF_DIR": str(tmp_path), "PYSPARK_SUBMIT_ARGS": "--conf spark.b=from-arguments pyspark-shell"}

    assert submit_conf(environ, Path("/nowhere")) == {
        "spark.a": "1",
        "spark.b": "from-arguments",
        "spark.c": "three words",
    }
    assert submit_conf({}, tmp_path) == {}

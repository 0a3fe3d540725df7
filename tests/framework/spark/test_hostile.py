"""No author makes a hostile setting, whenever and however it is said; where a platform speaks, nobody else makes one either."""

import shlex
from pathlib import Path

import pytest

from framework.cli.asking import Ask, prepare
from framework.errors import ConfigError
from framework.spark.settings import SessionSettings, effective_settings, left_out, submit_conf
from framework.sparkconf import FORCED, refusals, require_allowed
from tests.framework.spark.hostile import HOSTILE, ROWS, SIZES

TEMPLATES = ("{{ params.x }}", "{% if x %}true{% endif %}")
PLATFORM = {
    "spark.master": "local[1]",
    "spark.driver.memory": "1g",
    "spark.executor.memory": "1g",
    "spark.speculation": "false",
}


def test_there_is_something_of_each_row() -> None:
    assert {row: len(keys) > 20 for row, keys in ROWS.items()} == dict.fromkeys(ROWS, True)
    assert len(HOSTILE) == sum(map(len, ROWS.values()))
    assert [value for value in HOSTILE.values() if shlex.split(value) != [value]] == []


@pytest.mark.parametrize("row", ROWS)
def test_when_a_file_is_parsed_each_is_refused_whatever_its_value(row: str) -> None:
    """The first moment: what a template will say is not known yet. A forced setting is looked at when it is."""
    for value in (None, "", "true", "false", "0", *TEMPLATES):
        asked = {key: hostile if value is None else value for key, hostile in ROWS[row].items() if key not in FORCED}
        assert len(refusals(asked, rendered=False)) == len(asked)


@pytest.mark.parametrize("row", ROWS)
def test_when_a_task_or_a_driver_starts_each_is_refused_by_name(row: str) -> None:
    """The second moment and the third ask the same."""
    with pytest.raises(ConfigError) as told:
        require_allowed(ROWS[row], where="here")

    assert [line.partition(": ")[0].strip("'") for line in told.value.details] == list(ROWS[row])


@pytest.mark.parametrize("row", ROWS)
def test_the_command_line_is_asked_the_same(row: str, tmp_path: Path) -> None:
    given = tuple(f"{key}={value}" for key, value in ROWS[row].items())

    with pytest.raises(ConfigError, match=f"{len(given)} Spark setting") as told:
        prepare(Ask("jobs.flights.nowhere:Nothing", conf=given), tmp_path)

    assert told.value.where == "--conf"


def test_another_setting_does_not_ride_on_a_key_or_a_value() -> None:
    smuggled = "--conf spark.master=yarn"
    for conf in (
        {f"spark.driver.memory=1g {smuggled}": "1"},
        {"spark.driver.memory": f"1g {smuggled}"},
        {smuggled: ""},
        {"--properties-file": "/tmp/evil"},
        {"spark.sql.shuffle.partitions": "8\nspark.master=yarn"},
    ):
        assert len(refusals(conf)) == 1


def settings(conf: dict[str, str], *, platform: dict[str, str]) -> dict[str, str]:
    asked = SessionSettings("a", conf=conf, team_conf=conf, platform=platform)
    return {one.key: one.value for one in effective_settings(asked, submit=conf)}


@pytest.mark.parametrize("row", ROWS)
def test_where_a_platform_speaks_no_layer_makes_one_and_without_it_the_image_would(row: str) -> None:
    clean = settings({}, platform=PLATFORM)

    assert settings(ROWS[row], platform=PLATFORM) == clean
    alone = settings(ROWS[row], platform={})
    assert len([key for key, value in ROWS[row].items() if alone.get(key) == value]) > len(ROWS[row]) * 0.7


def test_how_large_a_run_is_is_the_platforms_where_it_speaks() -> None:
    found = settings(SIZES, platform=PLATFORM)

    larger = {key: value for key, value in found.items() if SIZES.get(key) == value}
    assert larger == {key: SIZES[key] for key in ("spark.executor.memoryOverhead", "spark.executor.cores")}
    assert {key: settings(SIZES, platform={})[key] for key in SIZES} == SIZES


def test_what_an_image_may_tune_is_heard_and_the_rest_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.sql.shuffle.partitions 7\nspark.plugins com.example.Evil\n")
    submitted = submit_conf({"SPARK_CONF_DIR": str(tmp_path)}, Path("/nowhere"))
    asked = SessionSettings("a", platform=PLATFORM)

    assert left_out(asked, submitted) == ("spark.plugins",)
    assert left_out(SessionSettings("a"), submitted) == ()
    (partitions,) = [o for o in effective_settings(asked, submit=submitted) if o.key == "spark.sql.shuffle.partitions"]
    assert (partitions.value, partitions.set_by) == ("7", "spark-submit")

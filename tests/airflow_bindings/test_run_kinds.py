"""Every kind of DAG run, made by Airflow itself and run for real: which run key, and which facts, a job is told."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.airflow_bindings.platform import Platform

DATE = datetime(2013, 1, 1, tzinfo=UTC)


def _dag(platform: Platform, name: str, schedule: str, start: str = "datetime(2013, 1, 1)") -> Any:
    return platform.dag(f"""
        with DAG("flights.{name}", schedule={schedule}, start_date={start}, catchup=True, max_active_runs=1):
            Spark(task_id="delays", job=JOB)
    """)


def _told(platform: Platform, dag: Any) -> dict[str, Any]:
    """Run the DAG's newest run; what its one driver was told."""
    run = platform.runs(dag)[-1]
    states = platform.run(dag, run.run_id)
    assert states == {"delays": "success"}
    told = platform.launches(dag.dag_id)[-1]
    assert told["run"]["run_id"] == run.run_id
    assert told["key"] | {"run": ""} == {
        "team": "flights",
        "dag_id": dag.dag_id,
        "task_id": "delays",
        "run": "",
        "map_index": None,
    }
    return told


def _undated(run: Any) -> str:
    digest = hashlib.sha256(run.run_id.encode()).hexdigest()[:16]
    return f"at-{run.run_after:%Y%m%dT%H%M%S.%fZ}-{digest}"


def test_a_scheduled_run(platform: Platform, name: str) -> None:
    dag = _dag(platform, name, 'CronDataIntervalTimetable("0 0 * * *", timezone="UTC")')

    platform.scheduled()

    told = _told(platform, dag)
    assert platform.runs(dag)[-1].run_type == "scheduled"
    assert told["key"]["run"] == "20130101T000000Z"
    assert told["run"]["logical_date"] == told["run"]["start"] == "2013-01-01T00:00:00Z"
    assert (told["run"]["end"], told["run"]["zone"]) == ("2013-01-02T00:00:00Z", "UTC")


def test_a_scheduled_run_in_local_time(platform: Platform, name: str) -> None:
    timetable = 'CronDataIntervalTimetable("0 0 * * *", timezone="Europe/London")'
    dag = _dag(platform, name, timetable, "datetime(2013, 7, 1)")

    platform.scheduled()

    told = _told(platform, dag)
    assert told["key"]["run"] == "20130701T230000Z"  # midnight of 2 July in London
    assert told["run"]["zone"] == "Europe/London"


def test_a_manual_run_with_a_date_to_the_microsecond(platform: Platform, name: str) -> None:
    dag = _dag(platform, name, "None")

    platform.manual(dag, datetime(2013, 1, 2, 3, 4, 5, 6, tzinfo=UTC))

    assert _told(platform, dag)["key"]["run"] == "20130102T030405.000006Z"


def test_a_manual_run_without_a_date(platform: Platform, name: str) -> None:
    dag = _dag(platform, name, "None")

    platform.manual(dag, None)

    told = _told(platform, dag)
    assert told["key"]["run"] == _undated(platform.runs(dag)[-1])
    assert (told["run"]["logical_date"], told["run"]["start"], told["run"]["end"]) == (None, None, None)


def test_two_dateless_runs_of_one_moment_do_not_share_a_place(platform: Platform, name: str) -> None:
    dag = _dag(platform, name, "None")
    keys = []
    for _ in range(2):
        platform.manual(dag, None, run_after=DATE)
        keys.append(_told(platform, dag)["key"]["run"])

    assert len(set(keys)) == 2


def test_a_backfilled_run_has_the_place_of_the_scheduled_one(platform: Platform, name: str) -> None:
    dag = _dag(platform, name, 'CronDataIntervalTimetable("0 0 * * *", timezone="UTC")', "datetime(2030, 1, 1)")

    platform.backfilled(dag, DATE, DATE)

    told = _told(platform, dag)
    assert platform.runs(dag)[-1].run_type == "backfill"
    assert told["key"]["run"] == "20130101T000000Z"


def test_an_asset_triggered_run(platform: Platform, name: str) -> None:
    producer = _dag(platform, f"{name}a", "None")
    consumer = _dag(platform, f"{name}b", f'[Upstream("delays", dag_id="flights.{name}a").asset]')
    platform.manual(producer, DATE)
    _told(platform, producer)

    platform.scheduled()

    told = _told(platform, consumer)
    assert platform.runs(consumer)[-1].run_type == "asset_triggered"
    assert told["key"]["run"] == _undated(platform.runs(consumer)[-1])


def test_another_teams_asset_triggers_a_run(platform: Platform, name: str) -> None:
    producer = _dag(platform, name, "None")
    consumer = platform.dag(
        f"""
        with DAG("insights.{name}", schedule=[Upstream("delays", dag_id="flights.{name}", team="flights").asset]):
            Spark(task_id="joined", job="jobs.insights.joined:Joined")
        """,
        team="insights",
    )
    # Witness: without saying whose events it takes, another team's DAG is not run.
    deaf = platform.dag(
        f"""
        with DAG("insights.{name}deaf", schedule=[Asset("flights/flights.{name}/delays",
                                                        "x-teamspark://flights/flights.{name}/delays")]):
            Spark(task_id="joined", job="jobs.insights.joined:Joined")
        """,
        team="insights",
    )
    platform.manual(producer, DATE)
    _told(platform, producer)

    platform.scheduled()

    assert [run.run_type for run in platform.runs(consumer)] == ["asset_triggered"]
    assert platform.runs(deaf) == []


def test_a_partitioned_run(platform: Platform, name: str) -> None:
    timetable = 'CronPartitionTimetable("0 0 * * *", timezone="UTC", key_format="%Y-%m-%dEU")'
    dag = _dag(platform, name, timetable)

    platform.scheduled()

    told = _told(platform, dag)
    run = platform.runs(dag)[-1]
    assert run.partition_key == "2013-01-01EU"
    assert told["key"]["run"] == "key-2013-01-01!45!55"


@pytest.mark.parametrize(
    ("partition_key", "segment"),
    [("../../insights", "key-..!2f..!2finsights"), ("%2e%2e", "key-!252e!252e"), ("a=b\n", "key-a!3db!0a")],
)
def test_a_hostile_partition_key_stays_one_segment(
    platform: Platform, name: str, partition_key: str, segment: str
) -> None:
    dag = _dag(platform, name, 'CronPartitionTimetable("0 0 * * *", timezone="UTC")', "datetime(2030, 1, 1)")

    platform.manual(dag, None, partition_key=partition_key)

    assert _told(platform, dag)["key"]["run"] == segment


def test_ids_that_differ_in_case_or_alphabet_do_not_share_a_place(platform: Platform, name: str) -> None:
    from framework.identity import RunKey
    from framework.storage.paths import run_path

    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            for task_id in ("delays", "Delays", "delаys", "..", "-"):  # the third has a Cyrillic letter
                Spark(task_id=task_id, job=JOB)
    """)
    run = platform.manual(dag, DATE)

    platform.run(dag, run)

    paths = [run_path(RunKey(**told["key"])) for told in platform.launches(dag.dag_id)]
    assert len({path.lower() for path in paths}) == 5
    assert {path.rpartition("/")[0].rpartition("/")[0] for path in paths} == {f"/flights/{dag.dag_id}"}


def test_an_id_too_long_for_a_path_is_an_import_error(platform: Platform, name: str) -> None:
    error = platform.errors(f'with DAG("flights.{name}"): Spark(task_id="t" * 201, job=JOB)')

    assert "an id is too long for a path segment" in error


def test_a_zone_without_a_name_stops_the_task(platform: Platform, name: str, capfd: Any) -> None:
    dag = platform.dag(f"""
        from datetime import timezone
        with DAG("flights.{name}", schedule=None, start_date=datetime(2013, 1, 1, tzinfo=timezone(timedelta(hours=1)))):
            Spark(task_id="delays", job=JOB)
    """)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert "the DAG's time zone has no name" in capfd.readouterr().out


def test_stored_names_keep_a_renamed_tasks_place(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            with TaskGroup("group"):
                first = Spark(task_id="first", job=JOB, stored_as="flights.old/ingest")
            Spark(task_id="second", job=JOB, stored_as="delays", inputs={{"rows": first.output}})
    """)

    platform.run(dag, platform.manual(dag, DATE))

    first, second = (told for told in _all(platform) if told["run"]["run_id"] == platform.runs(dag)[-1].run_id)
    assert (first["key"]["dag_id"], first["key"]["task_id"]) == ("flights.old", "ingest")
    assert (second["key"]["dag_id"], second["key"]["task_id"]) == (dag.dag_id, "delays")
    (edge,) = second["inputs"]["rows"]
    assert (edge["dag_id"], edge["task_id"], edge["same_dag"]) == ("flights.old", "ingest", True)
    assert dag.get_task("group.first").outlets[0].name == "flights/flights.old/ingest"


def _all(platform: Platform) -> list[dict[str, Any]]:
    import json

    return [json.loads(line) for line in (platform.workspace / "launches.jsonl").read_text().splitlines()]

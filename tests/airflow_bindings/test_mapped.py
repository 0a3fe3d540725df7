"""Mapped tasks: one run key per index, and counts that the consumer can trust."""

from datetime import UTC, datetime
from typing import Any

from tests.airflow_bindings.platform import Platform

DATE = datetime(2013, 1, 1, tzinfo=UTC)


def _by_task(platform: Platform, dag: Any, task_id: str) -> list[dict[str, Any]]:
    found = [told for told in platform.launches(dag.dag_id) if told["key"]["task_id"] == task_id]
    return sorted(found, key=lambda told: told["key"]["map_index"] or 0)


def test_each_index_has_its_run_key_and_the_consumer_their_number(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            ingest = Spark(task_id="ingest", job=JOB)
            region = Spark.partial(task_id="region", job=JOB, inputs={{"rows": ingest.output}}).expand(
                parameters=[{{"region": "north"}}, {{"region": "south"}}, {{"region": "east"}}])
            Spark(task_id="total", job=JOB, inputs={{"rows": region.output}})
    """)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert set(states.values()) == {"success"}
    regions = _by_task(platform, dag, "region")
    assert [told["key"]["map_index"] for told in regions] == [0, 1, 2]
    assert [told["parameters"]["region"] for told in regions] == ["north", "south", "east"]
    assert {told["map_count"] for told in regions} == {3}
    assert {told["inputs"]["rows"][0]["task_id"] for told in regions} == {"ingest"}
    (total,) = _by_task(platform, dag, "total")
    (edge,) = total["inputs"]["rows"]
    assert (edge["task_id"], edge["map_count"], edge["same_dag"]) == ("region", 3, True)
    assert total["map_count"] is None
    assert [asset.name for asset in dag.get_task("region").outlets] == [f"flights/{dag.dag_id}/region"]


def test_an_expansion_that_shrank_leaves_no_stale_index(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            @task
            def regions():
                import pathlib
                seen = pathlib.Path({str(platform.workspace)!r}, "{name}")
                count = 1 if seen.exists() else 3
                seen.touch()
                return [{{"n": n}} for n in range(count)]
            region = Spark.partial(task_id="region", job=JOB).expand(parameters=regions())
            Spark(task_id="total", job=JOB, inputs={{"rows": region.output}})
    """)
    run = platform.manual(dag, DATE)
    platform.run(dag, run)

    platform.clear(dag, run, "regions", "region", "total")
    platform.run(dag, run)

    before, after = _by_task(platform, dag, "total")
    assert before["inputs"]["rows"][0]["map_count"] == 3
    assert after["inputs"]["rows"][0]["map_count"] == 1
    assert _by_task(platform, dag, "region")[-1]["map_count"] in (1, 3)
    assert [told["map_count"] for told in platform.launches(dag.dag_id) if told["key"]["task_id"] == "region"] == [
        3,
        3,
        3,
        1,
    ]


def test_an_edge_to_a_mapped_group_is_all_its_indices(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        from airflow.sdk import task_group
        with DAG("flights.{name}", schedule=None):
            @task_group
            def regions(region):
                return Spark(task_id="one", job=JOB, parameters={{"region": region}}).output
            found = regions.expand(region=["north", "south"])
            Spark(task_id="total", job=JOB, inputs={{"rows": Upstream("regions.one")}})
    """)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert set(states.values()) == {"success"}
    ones = _by_task(platform, dag, "regions.one")
    assert [told["key"]["map_index"] for told in ones] == [0, 1]
    (total,) = _by_task(platform, dag, "total")
    assert total["inputs"]["rows"][0]["map_count"] == 2


def test_parameters_may_be_templates_and_results_of_other_tasks(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            @task
            def limits():
                return {{"n": 7}}
            Spark(task_id="a", job=JOB, parameters={{"day": "{{{{ ds }}}}", "at": datetime(2013, 1, 1), "list": (1, 2)}})
            Spark(task_id="b", job=JOB, parameters=limits())
            Spark(task_id="c", job=JOB, job_config={{"parameters": {{"day": "{{{{ ds }}}}"}}}})
    """)

    platform.run(dag, platform.manual(dag, DATE))

    told = {one["key"]["task_id"]: one["parameters"] for one in platform.launches(dag.dag_id)}
    assert told["a"] == {"day": "2013-01-01", "at": "2013-01-01T00:00:00", "list": [1, 2]}
    assert told["b"] == {"n": 7}
    assert told["c"] == {"day": "2013-01-01"}


def test_what_json_cannot_hold_is_told_with_its_place(platform: Platform, name: str, capfd: Any) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="a", job=JOB, parameters={{"ok": 1, "deep": [{{"bad": object}}]}})
    """)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"a": "failed"}
    assert "parameters.deep.0.bad: type" in capfd.readouterr().out


def test_an_attempt_number_travels_as_a_hint_only(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            a = Spark(task_id="a", job=JOB, parameters={{"first": ["lost"]}})
            Spark(task_id="b", job=JOB, inputs={{"x": a.output, "y": [a.output["rejects"], Upstream("z", dag_id="flights.z")]}})
    """)

    platform.run(dag, platform.manual(dag, DATE))

    told = platform.launches(dag.dag_id)[-1]["inputs"]
    assert told["x"][0]["at_least"] == 2
    assert [edge["at_least"] for edge in told["y"]] == [2, None]
    assert [edge["output"] for edge in told["y"]] == ["rejects", "default"]
    assert "/somewhere" not in str(told), "coordinates come from the definition, never from XCom"


def test_a_skipped_producer_leaves_its_consumer_to_the_driver(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        from airflow.sdk import TriggerRule
        from airflow.sdk.exceptions import AirflowSkipException
        with DAG("flights.{name}", schedule=None):
            @task
            def nothing(): raise AirflowSkipException
            a = Spark(task_id="a", job=JOB)
            nothing() >> a
            Spark(task_id="b", job=JOB, inputs={{"x": a.output["rejects"]}}, trigger_rule=TriggerRule.ALL_DONE)
    """)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"nothing": "skipped", "a": "skipped", "b": "success"}

"""The life of a task, with a driver that obeys: real bundle, real policies, real DAG runs, real processes."""

from datetime import UTC, datetime

from tests.airflow_bindings.platform import Platform

DATE = datetime(2013, 1, 1, tzinfo=UTC)


def test_a_task_runs_its_job_and_announces_the_run(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB)
    """)
    run = platform.manual(dag, DATE)

    states = platform.run(dag, run)

    assert states == {"delays": "success"}
    (told,) = platform.launches(dag.dag_id)
    assert told["job"] == "jobs.flights.delays:Delays"
    print(platform.xcom(dag, run, "delays"))

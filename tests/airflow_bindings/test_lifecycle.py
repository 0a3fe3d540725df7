"""The life of a task, with a driver that obeys: real bundle, real policies, real DAG runs, real processes."""

import os
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framework.identity import Epoch, RunKey
from framework.launch.base import LaunchRequest, Phase
from framework.launch.local import LocalLauncher
from tests.airflow_bindings.platform import Platform

DATE = datetime(2013, 1, 1, tzinfo=UTC)
BOTH_WAYS = pytest.mark.parametrize("deferrable", [False, True], ids=["polling", "deferred"])


def _one(platform: Platform, name: str, parameters: dict[str, Any], **arguments: Any) -> Any:
    """A DAG of one task that never waits between its tries."""
    given = {"parameters": parameters, **arguments}
    return platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, retry_delay=0, **{given!r})
    """)


def _epochs(platform: Platform, dag: Any) -> list[tuple[int, int]]:
    return [(e["try_number"], e["launch"]) for e in (told["epoch"] for told in platform.launches(dag.dag_id))]


def _launcher(platform: Platform) -> LocalLauncher:
    return LocalLauncher(platform.workspace / ".teamspark" / "launches")


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 200  # a worker imports all of Airflow, on a machine that may be busy
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


@BOTH_WAYS
def test_a_task_runs_its_job_and_announces_the_run(platform: Platform, name: str, deferrable: bool) -> None:
    dag = _one(
        platform, name, {"min_flights": 3}, spark_conf={"spark.sql.shuffle.partitions": 4}, deferrable=deferrable
    )
    run = platform.manual(dag, DATE)

    states = platform.run(dag, run)

    assert states == {"delays": "success"}
    (told,) = platform.launches(dag.dag_id)
    assert told["job"] == "jobs.flights.delays:Delays"
    assert told["parameters"] == {"min_flights": 3}
    assert told["spark_conf"] == {"spark.sql.shuffle.partitions": "4"}
    assert told["epoch"]["try_number"] == told["epoch"]["launch"] == 1
    reference = platform.xcom(dag, run, "delays")
    assert reference["team"] == "flights"
    assert (reference["run"], reference["attempt"]) == ("20130101T000000Z", 1)
    assert platform.xcom(dag, run, "delays", key="rejects")["rows"] == 3


def test_the_asset_event_carries_the_reference(platform: Platform, name: str) -> None:
    dag = _one(platform, name, {})
    run = platform.manual(dag, DATE)

    platform.run(dag, run)

    (event,) = _events(f"flights/flights.{name}/delays")
    assert event == platform.xcom(dag, run, "delays")


def _events(asset: str) -> list[dict[str, Any]]:
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(AssetEvent.extra).join(AssetModel, AssetModel.id == AssetEvent.asset_id)
        return list(session.scalars(query.where(AssetModel.name == asset)))


def test_the_hook_writes_the_options_and_no_secret_reaches_the_run(
    platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", "hush")
    monkeypatch.setenv("AIRFLOW__API_AUTH__JWT_SECRET", "hush")
    dag = _one(platform, name, {}, spark_conf={"spark.sql.shuffle.partitions": "4"})

    platform.run(dag, platform.manual(dag, DATE))

    (told,) = platform.launches(dag.dag_id)
    words = shlex.split(told["env"]["PYSPARK_SUBMIT_ARGS"])
    assert words[:2] == ["--master", "local[2]"]
    assert [word for word in words if "shuffle" in word] == []
    assert told["spark_conf"]["spark.sql.shuffle.partitions"] == "4"
    assert words[-1] == "pyspark-shell"
    assert [value for value in told["env"].values() if "hush" in value] == []
    # Witness: the worker itself has them, and inheriting would have passed them on.
    assert "hush" in os.environ.values()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('task.spark_conf = {"spark.master": "yarn"}', "spark.master: the platform sets it"),
        ('task.spark_conf = "spark.master=yarn"', "spark_conf: a dictionary"),
        (
            'task.job_config = {"spark": {"conf": {"spark.driver.memory": "{{ 1 + 1 }} lots"}}}',
            "spark.driver.memory: expected a size such as 512m",
        ),
    ],
    ids=["assigned", "no mapping", "rendered"],
)
def test_spark_settings_are_asked_for_again_when_the_task_starts(
    platform: Platform, name: str, change: str, message: str, capfd: Any
) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            task = Spark(task_id="delays", job=JOB, retries=3)
            {change}
    """)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert platform.launches(dag.dag_id) == []
    assert message in capfd.readouterr().out


def test_a_rendered_spark_setting_is_told_to_the_driver(platform: Platform, name: str) -> None:
    conf = {"spark.driver.memory": "{{ 1 + 1 }}g", "spark.sql.session.timeZone": "UTC"}
    dag = _one(platform, name, {}, job_config={"spark": {"conf": conf}})

    platform.run(dag, platform.manual(dag, DATE))

    (told,) = platform.launches(dag.dag_id)
    assert told["spark_conf"] == {"spark.driver.memory": "2g", "spark.sql.session.timeZone": "UTC"}


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        (None, "the team has no Spark connection"),
        ('{"conn_type": "spark", "host": "yarn"}', "got: master yarn, deploy mode client"),
        ('{"conn_type": "spark"}', "runs Spark on this machine only"),
        ('{"conn_type": "spark", "host": "local[2]", "extra": {"deploy-mode": "cluster"}}', "deploy mode cluster"),
    ],
)
def test_a_connection_that_is_not_of_this_machine_stops_the_task(
    platform: Platform, name: str, monkeypatch: pytest.MonkeyPatch, connection: str | None, message: str, capfd: Any
) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_FLIGHTS__SPARK")
    if connection is not None:
        monkeypatch.setenv("AIRFLOW_CONN_FLIGHTS__SPARK", connection)
    dag = _one(platform, name, {}, retries=3)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert platform.launches(dag.dag_id) == []
    assert message in capfd.readouterr().out


@BOTH_WAYS
def test_a_final_error_is_not_retried(platform: Platform, name: str, deferrable: bool) -> None:
    dag = _one(platform, name, {"do": "failed"}, retries=3, deferrable=deferrable)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert _epochs(platform, dag) == [(1, 1)]


@pytest.mark.parametrize("ending", ["retryable", "silent"])
def test_a_retryable_error_is_retried_with_a_later_epoch(platform: Platform, name: str, ending: str) -> None:
    dag = _one(platform, name, {"first": [ending]}, retries=1)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "success"}
    assert _epochs(platform, dag) == [(1, 1), (2, 2)]
    assert len({told["epoch"]["incarnation"] for told in platform.launches(dag.dag_id)}) == 1


@BOTH_WAYS
def test_a_lost_run_starts_again_without_the_authors_retries(platform: Platform, name: str, deferrable: bool) -> None:
    dag = _one(platform, name, {"first": ["lost", "lost"]}, retries=0, deferrable=deferrable)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "success"}
    assert _epochs(platform, dag) == [(1, 1), (1, 2), (1, 3)]


def test_losses_end_with_their_budget(platform: Platform, name: str, capfd: Any) -> None:
    dag = _one(platform, name, {"do": "lost"}, retries=0)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert len(_epochs(platform, dag)) == 1 + 3
    assert "lost 4 times in a row" in capfd.readouterr().out


def _waiting(platform: Platform, name: str, parameters: dict[str, Any], wait: str, deferrable: bool = False) -> Any:
    return platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, parameters={parameters!r}, deferrable={deferrable},
                  inputs={{"rows": Upstream("ingest", dag_id="flights.other", wait={wait!r})}})
    """)


@BOTH_WAYS
def test_an_input_that_is_not_there_is_waited_for(platform: Platform, name: str, deferrable: bool) -> None:
    dag = _waiting(platform, name, {"first": ["not_yet", "not_yet"]}, "PT5M", deferrable)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "success"}
    assert _epochs(platform, dag) == [(1, 1), (1, 2), (1, 3)]


@BOTH_WAYS
def test_a_wait_ends_when_it_is_spent(platform: Platform, name: str, deferrable: bool) -> None:
    dag = _waiting(platform, name, {"do": "not_yet"}, "PT1S", deferrable)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert len(_epochs(platform, dag)) >= 2  # one at once, and one when the time was over


def test_without_wait_a_missing_input_fails_at_once(platform: Platform, name: str, capfd: Any) -> None:
    dag = _waiting(platform, name, {"do": "not_yet"}, "PT0S")

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    assert len(_epochs(platform, dag)) == 1
    assert "NotYet: told to end as not_yet" in capfd.readouterr().out


@BOTH_WAYS
def test_configuration_is_cleared_after_success_and_failure(platform: Platform, name: str, deferrable: bool) -> None:
    parameters = {"first": ["retryable", "lost"]}
    dag = _one(platform, name, parameters, retries=1, deferrable=deferrable)

    states = platform.run(dag, platform.manual(dag, DATE))

    homes = [platform.workspace / ".teamspark/launches/runs" / one for one in platform.launch_names(dag.dag_id)]
    assert states == {"delays": "success"}
    assert len(homes) == 3
    assert [home for home in homes if (home / "config.json").exists()] == []
    assert all((home / "log").exists() for home in homes)


def test_a_cleared_task_runs_again(platform: Platform, name: str) -> None:
    dag = _one(platform, name, {})
    run = platform.manual(dag, DATE)
    platform.run(dag, run)

    platform.clear(dag, run, "delays")
    states = platform.run(dag, run)

    assert states == {"delays": "success"}
    first, second = platform.launches(dag.dag_id)
    assert (first["clear_number"], second["clear_number"]) == (0, 1)
    assert first["epoch"]["incarnation"] == second["epoch"]["incarnation"]
    assert (second["epoch"]["try_number"], second["epoch"]["launch"]) == (2, 2)


def test_a_clear_of_another_task_reruns_nothing_and_spoils_nothing(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB)
            Spark(task_id="routes", job=JOB)
    """)
    run = platform.manual(dag, DATE)
    platform.run(dag, run)

    platform.clear(dag, run, "routes")
    platform.run(dag, run)
    after_other = _started(platform, dag)
    platform.clear(dag, run, "delays")
    states = platform.run(dag, run)

    assert after_other == ["delays", "routes", "routes"]
    assert _started(platform, dag) == ["delays", "delays", "routes", "routes"]
    assert states == {"delays": "success", "routes": "success"}


def _started(platform: Platform, dag: Any) -> list[str]:
    return sorted(told["key"]["task_id"] for told in platform.launches(dag.dag_id))


@pytest.fixture
def sigterm() -> Iterator[None]:
    """Airflow leaves its own handler behind."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_killed_task_ends_its_run_and_cleans_up(platform: Platform, name: str, tmp_path: Path, sigterm: None) -> None:
    dag = _one(platform, name, {"until": str(tmp_path / "never")})
    run = platform.manual(dag, DATE)

    def kill() -> None:
        _until(lambda: platform.launches(dag.dag_id))
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=kill).start()
    states = platform.run(dag, run)

    assert states == {"delays": "failed"}
    (launch,) = platform.launch_names(dag.dag_id)
    assert _launcher(platform).status(launch).phase is Phase.FAILED
    assert not (platform.workspace / ".teamspark/launches/runs" / launch / "config.json").exists()


def test_a_driver_of_another_incarnation_is_gone_before_a_new_one_starts(
    platform: Platform, name: str, tmp_path: Path
) -> None:
    dag = _one(platform, name, {})
    stranger = LaunchRequest(
        name=f"stranger-{name}",
        key=RunKey("flights", dag.dag_id, "delays", "20130101T000000Z"),
        epoch=Epoch("f" * 32, 1, 1),
        clear_number=0,
        command=("/bin/sleep", "300"),
        config=b"{}",
    )
    _launcher(platform).start(stranger)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "success"}
    assert _launcher(platform).status(stranger.name).phase is Phase.FAILED
    assert len(_epochs(platform, dag)) == 1


def test_a_try_that_the_server_replaced_creates_nothing(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        def replace_me(context):
            from airflow.models.taskinstance import TaskInstance
            from airflow.utils.session import create_session
            from sqlalchemy import update
            from uuid import uuid4
            with create_session() as session:
                session.execute(update(TaskInstance).where(TaskInstance.id == context["ti"].id).values(id=uuid4()))

        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, on_execute_callback=replace_me)
    """)
    run = platform.manual(dag, DATE)

    platform.run(dag, run, only=["delays"])

    assert platform.launches(dag.dag_id) == []
    assert list(platform.launch_names(dag.dag_id)) == []


def test_a_run_out_of_time_is_ended(platform: Platform, name: str, tmp_path: Path) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, deferrable=False, execution_timeout=timedelta(seconds=5),
                  parameters={{"until": {str(tmp_path / "never")!r}}})
    """)

    states = platform.run(dag, platform.manual(dag, DATE))

    assert states == {"delays": "failed"}
    (launch,) = platform.launch_names(dag.dag_id)
    assert _launcher(platform).status(launch).phase is Phase.FAILED


def _deferred(platform: Platform, name: str, never: Path) -> tuple[Any, str, str]:
    """A task that waits in the triggerer for a run that does not end: DAG, run, launch."""
    dag = _one(platform, name, {"until": str(never)}, deferrable=True)
    run = platform.manual(dag, DATE)
    states = platform.run(dag, run, only=["delays"], triggerer=False)
    assert states == {"delays": "deferred"}
    (launch,) = platform.launch_names(dag.dag_id)
    _until(lambda: _launcher(platform).status(launch).phase is Phase.RUNNING)
    return dag, run, launch


def test_a_failed_trigger_ends_the_run(platform: Platform, name: str, tmp_path: Path) -> None:
    dag, run, launch = _deferred(platform, name, tmp_path / "never")

    platform.fail_trigger(dag, run, "delays")
    states = platform.run(dag, run)

    assert states == {"delays": "failed"}
    assert _launcher(platform).status(launch).phase is Phase.FAILED


def test_a_task_that_is_killed_while_deferred_ends_its_run_only(platform: Platform, name: str, tmp_path: Path) -> None:
    import asyncio

    from airflow_bindings.triggers import RunTrigger

    _dag, _run, launch = _deferred(platform, name, tmp_path / "never")
    _other, _run, bystander = _deferred(platform, f"{name}x", tmp_path / "never")
    path, facts = RunTrigger(
        state_dir=str(platform.workspace / ".teamspark/launches"), name=launch, poll_s=0.1
    ).serialize()

    asyncio.run(RunTrigger(**facts).on_kill())

    assert path == "airflow_bindings.triggers.RunTrigger"
    assert _launcher(platform).status(launch).phase is Phase.FAILED
    assert _launcher(platform).status(bystander).phase is Phase.RUNNING
    _launcher(platform).kill(bystander)


def test_another_tasks_clear_does_not_disturb_a_deferred_one(platform: Platform, name: str, tmp_path: Path) -> None:
    go = tmp_path / "go"
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            Spark(task_id="delays", job=JOB, deferrable=True, parameters={{"until": {str(go)!r}}})
            Spark(task_id="routes", job=JOB)
    """)
    run = platform.manual(dag, DATE)
    platform.run(dag, run, only=["delays", "routes"], triggerer=False)

    platform.clear(dag, run, "routes")
    go.touch()
    platform.fire_trigger(dag, run, "delays")
    states = platform.run(dag, run)

    assert states == {"delays": "success", "routes": "success"}
    assert _started(platform, dag) == ["delays", "routes", "routes"]


WORKER = """
import sys
from pathlib import Path
from tests.airflow_bindings.platform import Platform
platform = Platform(Path({home!r}), Path({workspace!r}))
dag = platform.load({place!r}, "flights")
platform.run(dag, {run!r}, only=["delays"])
"""


@pytest.mark.parametrize("cleared", [False, True], ids=["retried", "cleared"])
def test_after_a_killed_worker(platform: Platform, name: str, tmp_path: Path, cleared: bool) -> None:
    """The next try takes over the run; after a clear it ends it and starts anew."""
    import subprocess
    import sys

    go = tmp_path / "go"
    dag = _one(platform, name, {"until": str(go)}, retries=1, deferrable=False)
    run = platform.manual(dag, DATE)
    place = str(Path(dag.fileloc).parent)
    facts = {"home": str(platform.home), "workspace": str(platform.workspace), "place": place, "run": run}
    with (tmp_path / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", WORKER.format(**facts)], cwd=Path.cwd(), stdout=log, stderr=log
        )
    _until(lambda: platform.launches(dag.dag_id) or worker.poll() is not None)
    worker.kill()
    worker.wait()
    (launch,) = platform.launch_names(dag.dag_id)
    before = _launcher(platform).status(launch).phase

    if cleared:
        platform.clear(dag, run, "delays")
    platform.notice_lost_worker(dag, run, "delays")
    go.touch()
    states = platform.run(dag, run)

    assert before is Phase.RUNNING
    assert states == {"delays": "success"}
    assert _epochs(platform, dag) == ([(1, 1), (2, 2)] if cleared else [(1, 1)])
    assert platform.xcom(dag, run, "delays")["attempt"] == (2 if cleared else 1)

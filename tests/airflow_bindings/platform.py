"""A real Airflow in this process, on SQLite: bundles with teams, policies, DAG runs of every kind."""

import json
import textwrap
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DRIVER = Path(__file__).with_name("tiny_driver.py")
TEAMS = ("flights", "insights")
HEAD = """
from datetime import datetime, timedelta
from airflow.sdk import DAG, Asset, AssetAlias, TaskGroup, task
from airflow.sdk import CronDataIntervalTimetable, CronPartitionTimetable, PartitionedAssetTimetable
from airflow_bindings import SparkExecutionEnvironmentOperator as Spark, Upstream

JOB = "jobs.flights.delays:Delays"
"""


@dataclass
class Platform:
    """One Airflow home with its bundles, and the workspace that its tasks run in."""

    home: Path
    workspace: Path
    loaded: dict[str, Any] = field(default_factory=dict)

    @property
    def bundles(self) -> Path:
        return self.home / "bundles"

    def write_configuration(self) -> None:
        config = [
            {
                "name": f"{team}-dags",
                "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                "kwargs": {"path": str(self.bundles / team)},
                **({"team_name": team} if team in TEAMS else {}),
            }
            for team in (*TEAMS, "nobody")
        ]
        sections: dict[str, dict[str, Any]] = {
            "core": {
                "multi_team": True,
                "load_examples": False,
                "executor": "LocalExecutor",
                "parallelism": 2,
                "dags_are_paused_at_creation": False,
            },
            "database": {"sql_alchemy_conn": f"sqlite:///{self.home}/airflow.db"},
            "dag_processor": {"dag_bundle_config_list": json.dumps(config).replace("%", "%%")},
            "logging": {"base_log_folder": self.home / "logs"},
            "teamspark": {
                "workspace": self.workspace,
                "driver": "tiny_driver",
                "poll_s": 0.05,
                "pause_s": 0.2,
            },
        }
        lines = [
            f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in values.items()) for name, values in sections.items()
        ]
        (self.home / "airflow.cfg").write_text("\n".join(lines))

    def create(self) -> None:
        for team in (*TEAMS, "nobody"):
            (self.bundles / team).mkdir(parents=True)
        (self.workspace / "k8s" / "teams").mkdir(parents=True)
        (self.workspace / "tiny_driver.py").write_text(DRIVER.read_text())
        self.write_configuration()

    def migrate(self) -> None:
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.models.team import Team
        from airflow.utils import db
        from airflow.utils.session import create_session

        db.initdb()
        with create_session() as session:
            session.add_all(Team(name=team) for team in TEAMS)
        DagBundlesManager().sync_bundles_to_db()  # type: ignore[no-untyped-call]  # Airflow's own

    def bag(self, body: str, *, team: str = "flights", jobs: dict[str, Any] | None = None, file: str = "") -> Any:
        """A bundle's DAG file, loaded as Airflow's own processes load it: policies included."""
        # A directory of its own stands in for a whole bundle, so that tests do not see each other's files.
        place = self.bundles / team / f"b{uuid.uuid4().hex[:8]}"
        place.mkdir()
        if jobs is not None:
            (place / "jobs.json").write_text(json.dumps(jobs))
        path = place / (file or "dags.py")
        path.write_text(HEAD + textwrap.dedent(body))
        return self._bag(place, team)

    def _bag(self, place: Path, team: str) -> Any:
        from airflow.dag_processing.dagbag import BundleDagBag

        return BundleDagBag(dag_folder=str(place), bundle_path=place, bundle_name=f"{team}-dags")

    def load(self, place: str, team: str) -> Any:
        """The one DAG of a directory that was loaded before, as another process loads it."""
        (dag,) = self._bag(Path(place), team).dags.values()
        return dag

    def errors(self, body: str, **where: Any) -> str:
        """The one import error of a DAG file."""
        bag = self.bag(body, **where)
        assert len(bag.import_errors) == 1, (bag.import_errors, list(bag.dags))
        return str(next(iter(bag.import_errors.values())))

    def dag(self, body: str, **where: Any) -> Any:
        """The one DAG of a file that must load without error, known to the database."""
        bag = self.bag(body, **where)
        assert bag.import_errors == {}
        self.sync(bag)
        (dag,) = bag.dags.values()
        return dag

    def sync(self, bag: Any) -> None:
        from airflow.dag_processing.dagbag import sync_bag_to_db

        sync_bag_to_db(bag, bag.bundle_name, None)

    def manual(self, dag: Any, logical_date: datetime | None = None, **facts: Any) -> Any:
        """A manual run, as the API makes one."""
        from airflow.utils.types import DagRunTriggeredByType, DagRunType

        server = self.server(dag)
        run_after = facts.pop("run_after", None) or logical_date or datetime.now(UTC)
        interval = server.timetable.infer_manual_data_interval(run_after=logical_date) if logical_date else None
        return self._create(
            server,
            run_id=f"manual__{uuid.uuid4().hex}",
            logical_date=logical_date,
            data_interval=interval,
            run_after=run_after,
            run_type=DagRunType.MANUAL,
            triggered_by=DagRunTriggeredByType.REST_API,
            **facts,
        )

    def scheduled(self) -> None:
        """One look of the real scheduler at what is due: timetables and asset events."""
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.utils.session import create_session
        from airflow.utils.sqlalchemy import prohibit_commit

        runner = SchedulerJobRunner(job=Job())  # type: ignore[no-untyped-call]  # Airflow's own
        with create_session() as session, prohibit_commit(session) as guard:  # type: ignore[no-untyped-call]  # Airflow's own
            runner._create_dagruns_for_dags(guard, session)

    def backfilled(self, dag: Any, first: datetime, last: datetime) -> None:
        from airflow.models.backfill import ReprocessBehavior, _create_backfill

        _create_backfill(
            dag_id=dag.dag_id,
            from_date=first,
            to_date=last,
            max_active_runs=1,
            reverse=False,
            dag_run_conf=None,
            triggering_user_name="ann",
            reprocess_behavior=ReprocessBehavior.NONE,
        )

    def runs(self, dag: Any) -> list[Any]:
        """The DAG's runs in the order they were made."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            found = list(session.scalars(select(DagRun).where(DagRun.dag_id == dag.dag_id).order_by(DagRun.id)))
            session.expunge_all()
            return found

    def server(self, dag: Any) -> Any:
        """The DAG as the scheduler knows it."""
        from airflow.serialization.serialized_objects import DagSerialization

        return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))

    def _create(self, server: Any, **facts: Any) -> Any:
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState

        with create_session() as session:
            run = server.create_dagrun(state=DagRunState.RUNNING, session=session, **facts)
            session.flush()
            return run.run_id

    def run(self, dag: Any, run_id: str, *, only: Sequence[str] = (), triggerer: bool = True) -> dict[str, str]:
        """Run what is runnable, in this process, until the run is finished; states by task (``task[0]`` if mapped).

        ``only``: stop after these tasks were tried once. Without ``triggerer`` a deferred task stays deferred.
        """
        from airflow.sdk.definitions.dag import _run_task
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState, TaskInstanceState

        server = self.server(dag)
        tried: set[str] = set()
        for _ in range(60):
            with create_session() as session:
                run = self.dag_run(dag.dag_id, run_id, session)
                run.dag = server
                if run.state not in (DagRunState.RUNNING, DagRunState.QUEUED):
                    break
                run.state = DagRunState.RUNNING
                runnable, _callback = run.update_state(session=session)
                for instance in runnable:
                    instance.try_number += 1
                    instance.state = TaskInstanceState.SCHEDULED
                session.commit()
                scheduled = [i for i in run.get_task_instances(session=session) if i.state == "scheduled"]
                session.expunge_all()
            for instance in scheduled:
                if only and instance.task_id not in only:
                    continue
                _run_task(ti=instance, task=dag.task_dict[instance.task_id], run_triggerer=triggerer)
                tried.add(instance.task_id)
            if only and set(only) <= tried:
                break
        return self.states(dag.dag_id, run_id)

    def dag_run(self, dag_id: str, run_id: str, session: Any) -> Any:
        from airflow.models.dagrun import DagRun
        from sqlalchemy import select

        return session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))

    def states(self, dag_id: str, run_id: str) -> dict[str, str]:
        from airflow.utils.session import create_session

        with create_session() as session:
            found = self.dag_run(dag_id, run_id, session).get_task_instances(session=session)
            return {i.task_id if i.map_index < 0 else f"{i.task_id}[{i.map_index}]": str(i.state) for i in found}

    def _instance(self, dag: Any, run_id: str, task_id: str, session: Any) -> Any:
        return self.dag_run(dag.dag_id, run_id, session).get_task_instance(task_id, session=session)

    def fail_trigger(self, dag: Any, run_id: str, task_id: str) -> None:
        """A deferred task's trigger fails, as the triggerer reports it."""
        self._resume(dag, run_id, task_id, "__fail__", {"error": "Trigger failure"})

    def fire_trigger(self, dag: Any, run_id: str, task_id: str) -> None:
        """A deferred task's trigger fires."""
        self._resume(dag, run_id, task_id, "resume", {"event": {}})

    def _resume(self, dag: Any, run_id: str, task_id: str, method: str, facts: dict[str, Any]) -> None:
        from airflow.sdk.serde import serialize
        from airflow.utils.session import create_session

        with create_session() as session:
            instance = self._instance(dag, run_id, task_id, session)
            instance.next_method, instance.next_kwargs = method, serialize(facts)
            instance.state, instance.trigger_id = "scheduled", None

    def notice_lost_worker(self, dag: Any, run_id: str, task_id: str) -> None:
        """What the scheduler does when a task's heartbeat stops: the try fails, and may be retried."""
        from airflow.utils.session import create_session

        with create_session() as session:
            instance = self._instance(dag, run_id, task_id, session)
            assert instance.state in ("running", "restarting")
            instance.task = self.server(dag).task_dict[task_id]
            instance.handle_failure("no heartbeat", session=session)

    def clear(self, dag: Any, run_id: str, *tasks: str) -> None:
        """Clear tasks of a run, as the UI does it."""
        from airflow.utils.session import create_session

        with create_session() as session:
            self.server(dag).clear(task_ids=list(tasks), run_id=run_id, session=session)

    def xcom(self, dag: Any, run_id: str, task_id: str, key: str = "return_value", map_index: int = -1) -> Any:
        from airflow.models.xcom import XComModel
        from airflow.utils.session import create_session

        with create_session() as session:
            query = XComModel.get_many(
                dag_ids=[dag.dag_id], run_id=run_id, task_ids=[task_id], map_indexes=map_index, key=key
            )
            found = session.scalars(query).all()
            return XComModel.deserialize_value(found[0]) if found else None

    def launches(self, dag_id: str) -> list[dict[str, Any]]:
        """What each launched driver of a DAG was told, in the order they began."""
        file = self.workspace / "launches.jsonl"
        lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        return [line for line in lines if line["key"]["dag_id"] == dag_id]

    def launch_names(self, dag_id: str) -> Iterator[str]:
        for path in sorted((self.workspace / ".teamspark" / "launches" / "runs").glob("*")):  # none before the first
            if json.loads((path / "request.json").read_text())["key"]["dag_id"] == dag_id:
                yield path.name

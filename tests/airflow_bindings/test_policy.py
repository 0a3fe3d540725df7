"""The tenancy policy under attack. Every attack has its witness: with the policy off, Airflow takes the DAG."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.airflow_bindings.platform import Platform

FOREIGN = "insights/insights.daily/joined"
ATTACKS = {
    "no prefix": ('with DAG("{name}"): Spark(task_id="t", job=JOB)', "its id must start with 'flights.'"),
    "prefix without dot": ('with DAG("flights2.{name}"): Spark(task_id="t", job=JOB)', "must start with 'flights.'"),
    "another team's id": ('with DAG("insights.{name}"): Spark(task_id="t", job=JOB)', "must start with 'flights.'"),
    "without our operators": (
        """with DAG("insights.{name}"):
    @task
    def t(): return 1
    t()""",
        "must start with 'flights.'",
    ),
    "forged file": (
        '__file__ = __file__.replace("/flights/", "/insights/")\n'
        'with DAG("insights.{name}"): Spark(task_id="t", job="jobs.insights.joined:Joined")',
        "the bundle belongs to team 'flights'",
    ),
    "forged fileloc": (
        'with DAG("insights.{name}") as dag: Spark(task_id="t", job="jobs.insights.joined:Joined")\n'
        'dag.fileloc = dag.fileloc.replace("/flights/", "/insights/")',
        "the bundle belongs to team 'flights'",
    ),
    "forged loader": (
        """class Bag:
    bundle_name = "insights-dags"
    def bag_dag(self, dag): return dag
bag = Bag()
with DAG("insights.{name}") as dag: Spark(task_id="t", job="jobs.insights.joined:Joined")
bag.bag_dag(dag)
dag.bundle_name = "insights-dags"; dag.team_name = "insights\"""",
        "the bundle belongs to team 'flights'",
    ),
    "another team's pool": (
        'with DAG("flights.{name}"): Spark(task_id="t", job=JOB, pool="insights")',
        "pool 'insights' is not of team 'flights'",
    ),
    "a pool that merely begins like ours": (
        'with DAG("flights.{name}"): Spark(task_id="t", job=JOB, pool="flights2")',
        "pool 'flights2' is not of team 'flights'",
    ),
    "a mapped task's pool": (
        'with DAG("flights.{name}"): Spark.partial(task_id="t", job=JOB, pool="insights").expand(parameters=[{{}}])',
        "pool 'insights' is not of team 'flights'",
    ),
    "a foreign task's pool": (
        """with DAG("flights.{name}"):
    @task(pool="insights")
    def t(): return 1
    t()""",
        "pool 'insights' is not of team 'flights'",
    ),
    "another team's outlet": (
        f'with DAG("flights.{{name}}"): Spark(task_id="t", job=JOB, outlets=[Asset("{FOREIGN}", "x-teamspark://{FOREIGN}")])',
        "names an output of another team",
    ),
    "another team's outlet by URI": (
        f'with DAG("flights.{{name}}"): Spark(task_id="t", job=JOB, outlets=[Asset("harmless", "X-TeamSpark://{FOREIGN}")])',
        "names an output of another team",
    ),
    "another team's outlet by name": (
        f'with DAG("flights.{{name}}"): Spark(task_id="t", job=JOB, outlets=[Asset("{FOREIGN}", "s3://elsewhere")])',
        "names an output of another team",
    ),
    "another team's outlet as alias": (
        f'with DAG("flights.{{name}}"): Spark(task_id="t", job=JOB, outlets=[AssetAlias("{FOREIGN}")])',
        "names an output of another team",
    ),
    "an outlet of a plain task": (
        f"""with DAG("flights.{{name}}"):
    @task(outlets=[Asset("{FOREIGN}", "x-teamspark://{FOREIGN}")])
    def t(): return 1
    t()""",
        "names an output of another team",
    ),
    "a mapped task's outlet": (
        'with DAG("flights.{name}"): Spark.partial(task_id="t", job=JOB, '
        f'outlets=[Asset("{FOREIGN}", "x-teamspark://{FOREIGN}")]).expand(parameters=[{{{{}}}}])',
        "names an output of another team",
    ),
    "a false pair that would deactivate another team's asset": (
        f'with DAG("flights.{{name}}", schedule=[Asset("{FOREIGN}", "x-evil://here")]): Spark(task_id="t", job=JOB)',
        "name and URI do not belong together",
    ),
    "a false pair as inlet": (
        f'with DAG("flights.{{name}}"): Spark(task_id="t", job=JOB, inlets=[Asset("mine", "x-teamspark://{FOREIGN}")])',
        "name and URI do not belong together",
    ),
    "a false pair deep in a schedule": (
        f'with DAG("flights.{{name}}", schedule=(Asset("a") & (Asset("b") | Asset("{FOREIGN}", "x-evil://here")))):'
        ' Spark(task_id="t", job=JOB)',
        "name and URI do not belong together",
    ),
    "another team's job": (
        'with DAG("flights.{name}"): Spark(task_id="t", job="jobs.insights.joined:Joined")',
        "job 'jobs.insights.joined:Joined' is not of team 'flights'",
    ),
    "a job of a team whose name begins like ours": (
        'with DAG("flights.{name}"): Spark(task_id="t", job="jobs.flights2.joined:Joined")',
        "is not of team 'flights'",
    ),
    "a mapped task's job": (
        'with DAG("flights.{name}"): '
        'Spark.partial(task_id="t", job="jobs.insights.joined:Joined").expand(parameters=[{{}}])',
        "is not of team 'flights'",
    ),
}


@contextmanager
def _without_policy() -> Iterator[None]:
    from airflow.settings import get_policy_plugin_manager

    import airflow_bindings.policy as ours

    manager = get_policy_plugin_manager()
    name = manager.get_name(ours)
    assert name == "teamspark", "installed through the entry point"
    manager.unregister(ours)
    try:
        yield
    finally:
        manager.register(ours, name)


@pytest.mark.parametrize("attack", ATTACKS, ids=str)
def test_an_attack_is_an_import_error_and_works_without_the_policy(platform: Platform, name: str, attack: str) -> None:
    body, message = ATTACKS[attack]
    body = body.format(name=name)

    error = platform.errors(body)
    with _without_policy():
        witness = platform.bag(body)

    assert "AirflowClusterPolicyViolation" in error
    assert message in error
    assert witness.import_errors == {}
    assert len(witness.dags) == 1


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('with DAG("{name}"): Spark(task_id="t", job=JOB)', "Spark tasks need a team"),
        (
            f"""with DAG("{{name}}"):
    @task(outlets=[Asset("{FOREIGN}", "x-teamspark://{FOREIGN}")])
    def t(): return 1
    t()""",
            "names an output of another team",
        ),
    ],
)
def test_a_bundle_without_a_team_is_nobody(platform: Platform, name: str, body: str, message: str) -> None:
    error = platform.errors(body.format(name=name), team="nobody")

    assert message in error


def test_a_bundle_without_a_team_may_have_plain_dags(platform: Platform, name: str) -> None:
    bag = platform.bag(f'with DAG("{name}"):\n    @task\n    def t(): return 1\n    t()', team="nobody")

    assert bag.import_errors == {}


def test_what_a_team_may_do(platform: Platform, name: str) -> None:
    bag = platform.bag(f"""
        with DAG("flights.{name}", schedule=[Upstream("joined", dag_id="insights.daily", team="insights").asset]):
            Spark(task_id="own", job=JOB, pool="flights")
            Spark(task_id="shared", job="jobs.shared.copy:Copy", pool="flights__big")
            Spark(task_id="theirs", job=JOB, inputs={{"rows": Upstream("joined", dag_id="insights.daily", team="insights")}},
                  outlets=[Asset("my own"), Asset("s3://bucket/key")])
    """)

    assert bag.import_errors == {}


def test_one_bad_dag_takes_no_other_of_its_file_with_it(platform: Platform, name: str) -> None:
    bag = platform.bag(f"""
        with DAG("flights.{name}"): Spark(task_id="t", job=JOB)
        with DAG("insights.{name}"): Spark(task_id="t", job=JOB)
    """)

    assert list(bag.dags) == [f"flights.{name}"]
    assert len(bag.import_errors) == 1


def test_all_violations_are_told_at_once(platform: Platform, name: str) -> None:
    error = platform.errors(
        f'with DAG("insights.{name}"): Spark(task_id="t", job="jobs.insights.a:A", pool="insights", '
        f'outlets=[Asset("{FOREIGN}", "s3://elsewhere")])'
    )

    told = ["must start with", "pool 'insights'", "names an output", "do not belong together", "is not of team"]
    assert [text for text in told if text not in error] == []


def test_the_team_that_counts_at_run_time_is_the_servers(platform: Platform, name: str, capfd: Any) -> None:
    """The bundle's record now says another team: the task stops before it creates anything."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import update

    dag = platform.dag(f'with DAG("flights.{name}", schedule=None): Spark(task_id="t", job=JOB)')
    run = platform.manual(dag, datetime(2013, 1, 1, tzinfo=UTC))
    with create_session() as session:
        session.execute(update(DagModel).where(DagModel.dag_id == dag.dag_id).values(bundle_name="insights-dags"))

    states = platform.run(dag, run)

    assert states == {"t": "failed"}
    assert platform.launches(dag.dag_id) == []
    assert "PolicyError" in capfd.readouterr().out


def test_nothing_in_a_runs_conf_decides(platform: Platform, name: str) -> None:
    """Any team's task may trigger any DAG, with a conf of its choice."""
    dag = platform.dag(f'with DAG("flights.{name}", schedule=None): Spark(task_id="t", job=JOB, parameters={{"n": 1}})')
    hostile = {"team": "insights", "team_name": "insights", "parameters": {"n": 2}, "job": "jobs.insights.a:A", "n": 2}

    states = platform.run(dag, platform.manual(dag, datetime(2013, 1, 1, tzinfo=UTC), conf=hostile))

    assert states == {"t": "success"}
    (told,) = platform.launches(dag.dag_id)
    assert (told["key"]["team"], told["job"], told["parameters"]) == ("flights", "jobs.flights.delays:Delays", {"n": 1})

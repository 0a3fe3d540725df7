"""The tenancy policy, installed for every Airflow process through the entry point ``airflow.policy``.

It turns what would fail later, or hang for ever, into an import error that says what to change. It is no wall:
author code runs in the same process. Import errors are shown to every team, so a message names only what the
author wrote and his own team.
"""

from collections.abc import Iterator
from typing import Any

from airflow.policies import hookimpl

from airflow_bindings.link import is_spark
from framework.errors import ConfigError, PathError, clip


@hookimpl
def dag_policy(dag: Any) -> None:
    """Refuse what a team may not do, then link the DAG's data edges.

    Raises: AirflowClusterPolicyViolation with every mistake.
    """
    from airflow.exceptions import AirflowClusterPolicyViolation

    from airflow_bindings.bundles import loading_bag, teams_by_bundle

    bag = loading_bag()
    team = teams_by_bundle().get(getattr(bag, "bundle_name", None) or "")
    wrong = list(violations(dag, team))
    if wrong:
        from airflow_bindings.link import definition_mistakes

        wrong += definition_mistakes(dag)
        raise AirflowClusterPolicyViolation(str(_told(dag, wrong)))
    if team is None:
        return
    try:
        prepare(dag, team, getattr(bag, "bundle_path", None))
    except (ConfigError, PathError) as error:
        raise AirflowClusterPolicyViolation(str(error)) from error


def prepare(dag: Any, team: str, bundle: Any) -> None:
    """Link the edges of a DAG of ``team`` and declare the assets of its Spark tasks.

    Raises: ConfigError, PathError.
    """
    tasks = [task for task in dag.tasks if is_spark(task)]
    if not tasks:
        return
    from airflow_bindings.contracts import contracts_of
    from airflow_bindings.declare import declare_assets, remember
    from airflow_bindings.link import link, order

    linked = link(dag, team, contracts_of(team, bundle))
    order(dag, linked)
    declare_assets(dag, linked)
    remember(dag, linked)


def violations(dag: Any, team: str | None) -> Iterator[str]:
    """What ``team`` (None: no team) may not have in a DAG of its bundle, one sentence each."""
    tasks = list(dag.tasks)
    spark = [task for task in tasks if is_spark(task)]
    if team is None and spark:
        yield "Spark tasks need a team: load the file from a bundle with a team_name ([core] multi_team = True)"
    if team is not None and not dag.dag_id.startswith(f"{team}."):
        yield f"its id must start with '{team}.': the bundle belongs to team '{team}'"
    yield from _asset_violations(dag)
    for task in tasks:
        yield from _task_violations(task, team)
    for task in spark:
        yield from _job_violations(task, team)


def _task_violations(task: Any, team: str | None) -> Iterator[str]:
    from airflow_bindings.assets import claimed_team
    from framework.tenancy.names import Names

    pool = task.pool
    if team is not None and not Names(team).has_pool(pool):
        yield (
            f"task '{task.task_id}': pool '{clip(pool, 60)}' is not of team '{team}', so the task would wait for ever; "
            f"use 'default_pool', '{team}' or '{team}__<name>'"
        )
    for outlet in task.outlets:
        claimed = claimed_team(outlet)
        if claimed is not None and claimed != team:
            yield (
                f"task '{task.task_id}': outlet '{clip(str(getattr(outlet, 'name', outlet)), 80)}' names an output of "
                "another team; a task announces only its own, and Spark tasks do so by themselves"
            )


def _asset_violations(dag: Any) -> Iterator[str]:
    from airflow_bindings.assets import claimed_team, is_exact, scheduled_on

    inlets = [asset for task in dag.tasks for asset in (*task.inlets, *task.outlets)]
    for asset in (*scheduled_on(dag), *inlets):
        if claimed_team(asset) is not None and not is_exact(asset):
            yield (
                f"asset '{clip(asset.name, 80)}': name and URI do not belong together; "
                "write Upstream(<task>, dag_id=<dag>, team=<team>).asset"
            )


def _job_violations(task: Any, team: str | None) -> Iterator[str]:
    job = task.partial_kwargs.get("job") if getattr(task, "is_mapped", False) else task.job
    if _is_job_name(job) and not job.startswith((f"jobs.{team}.", "jobs.shared.")):
        yield (
            f"task '{task.task_id}': job '{clip(job, 80)}' is not of team '{team}'; "
            f"use jobs.{team}.<module>:<Class> or jobs.shared.<module>:<Class>"
        )


def _is_job_name(job: object) -> bool:
    """What is no name at all is a mistake of the task's definition, told there."""
    from framework.identity import JobName

    try:
        JobName.parse(job)
    except ConfigError:
        return False
    return True


def _told(dag: Any, wrong: list[str]) -> ConfigError:
    return ConfigError("this DAG is not allowed", where=dag.dag_id, details=wrong)

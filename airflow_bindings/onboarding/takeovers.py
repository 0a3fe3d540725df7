"""DAG ids that another team's bundle has: Airflow keeps one row for an id, and whoever was parsed last owns it."""

import json
from collections.abc import Iterable, Iterator, Mapping


def taken_over(rows: Iterable[tuple[str, str | None]], teams: Mapping[str, str | None]) -> Iterator[str]:
    """``rows``: DAG id and its bundle; ``teams``: the team of each bundle. One line for each that is not its own. Pure."""
    for dag_id, bundle in rows:
        prefix, dot, _ = dag_id.partition(".")
        owner = prefix if dot and prefix in set(teams.values()) else None
        holder = teams.get(bundle or "")
        if owner != holder and (owner or holder):
            yield (
                f"{dag_id}: bundle '{bundle}' of {_named(holder)} has it; by its id it is of {_named(owner)}; "
                f"remove it there, then: airflow dags delete {dag_id}, and it is read anew from its own bundle"
            )


def takeovers() -> list[str]:
    """Of the database and configuration of this process's Airflow."""
    from airflow.models.dag import DagModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airflow_bindings.bundles import teams_by_bundle

    with create_session() as session:
        rows = session.execute(select(DagModel.dag_id, DagModel.bundle_name).order_by(DagModel.dag_id)).all()
    return list(taken_over([(dag_id, bundle) for dag_id, bundle in rows], teams_by_bundle()))


def _named(team: str | None) -> str:
    return "no team" if team is None else f"team {json.dumps(team)}"

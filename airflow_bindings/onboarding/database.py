"""The only reader and writer of teams' rows. Each function is one transaction: killed half way, it has done nothing.

Airflow sets the foreign keys of connections, variables and pools to NULL when their team's row goes: they would be everybody's.
So they go first, in the same transaction.
"""

from typing import Any

from airflow_bindings.bundles import teams_by_bundle
from airflow_bindings.onboarding.rows import Found, Pool, Wanted
from framework.tenancy.names import Names


def survey(team: str) -> Found:
    """What is there of ``team``, and what begins with its name."""
    from airflow.models.connection import Connection
    from airflow.models.pool import Pool as PoolRow
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import or_, select

    with create_session() as session:
        pools = session.execute(
            select(PoolRow.pool, PoolRow.slots, PoolRow.team_name).where(
                or_(PoolRow.team_name == team, PoolRow.pool == Names(team).pool)
            )
        )
        return Found(
            team=_team_row(session, team) is not None,
            listed=team in teams_by_bundle().values(),
            pools={str(name): Pool(slots=slots, team=whose) for name, slots, whose in pools},
            connections=_named(session, team, Connection.conn_id, Connection.team_name),
            variables=_named(session, team, Variable.key, Variable.team_name),
            bundles=_bundles(session, team),
        )


def onboard(want: Wanted) -> None:
    """Make what is missing. What is another's is left: whoever asks has looked at ``rows.conflicts``."""
    from airflow.models.connection import Connection
    from airflow.models.pool import Pool as PoolRow
    from airflow.models.team import Team
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        if _team_row(session, want.team) is None:
            session.add(Team(name=want.team))
            session.flush()  # rows that name it follow
        PoolRow.create_or_update_pool(
            Names(want.team).pool, want.slots, "of the team file", False, team_name=want.team, session=session
        )
        for name, extra in want.made.items():
            if session.scalar(select(Connection.id).where(Connection.conn_id == name)) is None:
                session.add(Connection(conn_id=name, conn_type="kubernetes", extra=extra, team_name=want.team))


def offboard(team: str) -> None:
    """Secrets first, the row last."""
    from airflow.models.connection import Connection
    from airflow.models.pool import Pool as PoolRow
    from airflow.models.team import Team, dag_bundle_team_association_table
    from airflow.models.variable import Variable
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    links = dag_bundle_team_association_table
    with create_session() as session:
        for model in (Connection, Variable, PoolRow):
            session.execute(delete(model).where(model.team_name == team))
        session.execute(delete(links).where(links.c.team_name == team))
        session.execute(delete(Team).where(Team.name == team))


def teams() -> tuple[str, ...]:
    """Every team that has a row."""
    from airflow.models.team import Team
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        return tuple(session.scalars(select(Team.name).order_by(Team.name)))


def _team_row(session: Any, team: str) -> Any:
    from airflow.models.team import Team
    from sqlalchemy import select

    return session.scalar(select(Team).where(Team.name == team))


def _named(session: Any, team: str, name: Any, whose: Any) -> dict[str, str | None]:
    from sqlalchemy import or_, select

    mine = or_(whose == team, name.startswith(f"{team}__", autoescape=True))
    return dict(session.execute(select(name, whose).where(mine).order_by(name)).all())


def _bundles(session: Any, team: str) -> tuple[str, ...]:
    from airflow.models.team import dag_bundle_team_association_table
    from sqlalchemy import select

    links = dag_bundle_team_association_table
    return tuple(session.scalars(select(links.c.dag_bundle_name).where(links.c.team_name == team)))

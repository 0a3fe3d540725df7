"""Roles for Airflow's metadata database: one per component, and per team where a team's code runs beside it. Pure: SQL as text.

A DAG processor parses author code in a process of its own user: whoever reads that process' environment has its login. So each
team has its own, which sees the secrets of its team and of nobody else: row-level security (PostgreSQL, "Row Security Policies").
No role of these may define, truncate or own anything; only ``migrate`` may, which runs when Airflow is upgraded.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from framework.identity import check_team

MIGRATE: Final = "airflow_migrate"
_SPARE: Final = 3
# SQLAlchemy keeps five connections of a pool and ten over it in each process (Airflow, [database] sql_alchemy_pool_size).
_POOL: Final = 15
_TEAM_PROCESSES: Final = 2
# What a team's own code could do with its processor's or triggerer's login: rights, secrets, and what was done.
_SECRET: Final = ("connection", "variable")
_RECORD: Final = ("log",)


@dataclass(frozen=True, slots=True)
class DatabaseRole:
    """``limit``: connections at once; ``team``: whose secrets it sees, None for all."""

    name: str
    limit: int
    team: str | None = None


def database_roles(teams: Iterable[str]) -> tuple[DatabaseRole, ...]:
    """One for each component that all teams share, and a processor and a triggerer for each team."""
    shared = tuple(DatabaseRole(f"airflow_{name}", _POOL + _SPARE) for name in ("api_server", "scheduler"))
    own = tuple(
        DatabaseRole(f"airflow_{part}_{check_team(team)}", _TEAM_PROCESSES + _SPARE, team)
        for team in sorted(teams)
        for part in ("dag_processor", "triggerer")
    )
    return (*shared, *own)


def connections_needed(teams: Iterable[str]) -> int:
    """What ``max_connections`` of the server has to be at least, its own superusers' three besides."""
    return sum(role.limit for role in database_roles(teams)) + _SPARE


def statements(teams: Iterable[str], database: str) -> Iterator[str]:
    """To be run by a superuser on a migrated database; the same again changes nothing. Passwords are set apart."""
    roles = database_roles(teams)
    yield _role(MIGRATE, _SPARE)
    yield f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;'
    yield "REVOKE ALL ON SCHEMA public FROM PUBLIC;"
    for table in _SECRET:
        yield f"ALTER TABLE public.{table} ENABLE ROW LEVEL SECURITY;"
    for role in roles:
        yield _role(role.name, role.limit)
        yield f'GRANT CONNECT ON DATABASE "{database}" TO {role.name};'
        yield f"GRANT USAGE ON SCHEMA public TO {role.name};"
        yield f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role.name};"
        yield f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role.name};"
        yield from _narrowed(role)


def _role(name: str, limit: int) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN CREATE ROLE {name} LOGIN; END IF; END $$;"
        f" ALTER ROLE {name} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT {limit};"
    )


def _narrowed(role: DatabaseRole) -> Iterator[str]:
    """Secrets of its own team, and everybody's, to read; the schema's version and what was done are not its to change."""
    yield f"REVOKE INSERT, UPDATE, DELETE ON public.alembic_version FROM {role.name};"
    for table in _RECORD:
        yield f"REVOKE UPDATE, DELETE ON public.{table} FROM {role.name};"
    for table in _SECRET:
        policy = f"{role.name}_{table}"
        yield f"DROP POLICY IF EXISTS {policy} ON public.{table};"
        seen = "true" if role.team is None else f"team_name IS NULL OR team_name = '{role.team}'"
        yield f"CREATE POLICY {policy} ON public.{table} TO {role.name} USING ({seen});"
        if role.team is not None:
            yield f"REVOKE INSERT, UPDATE, DELETE ON public.{table} FROM {role.name};"
    if role.team is not None:
        yield f"REVOKE INSERT, UPDATE, DELETE ON public.team, public.slot_pool FROM {role.name};"


def removal(team: str) -> Iterator[str]:
    """What takes a team's roles away; what they did stays."""
    for role in database_roles([team]):
        if role.team == team:
            for table in _SECRET:
                yield f"DROP POLICY IF EXISTS {role.name}_{table} ON public.{table};"
            yield f"DROP OWNED BY {role.name}; DROP ROLE IF EXISTS {role.name};"

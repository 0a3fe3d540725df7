"""A team's rows as records: what should be there, what is, and the difference. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import Field

from framework.records import Record
from framework.tenancy.model import Team
from framework.tenancy.names import Names

KUBERNETES: Final = "kubernetes"


class Pool(Record):
    """A row of ``slot_pool``; ``team`` is None for one of everybody's."""

    slots: int
    team: str | None = None


class Wanted(Record):
    """What a team has in Airflow. ``made``: connections without a secret, which are made; ``filled``: those that somebody
    who knows the secret has to make.
    """

    team: str
    slots: int
    made: Mapping[str, str] = Field(default_factory=dict)
    filled: tuple[str, ...] = ()


class Found(Record):
    """What the database has of a team, and what merely looks like it. By name, whose: None is everybody's.

    ``listed``: whether the running configuration names a bundle of the team.
    """

    team: bool = False
    listed: bool = False
    pools: Mapping[str, Pool] = Field(default_factory=dict)
    connections: Mapping[str, str | None] = Field(default_factory=dict)
    variables: Mapping[str, str | None] = Field(default_factory=dict)
    bundles: tuple[str, ...] = ()


def wanted(team: Team) -> Wanted:
    """From the team file, and nothing else."""
    names = Names(team.team)
    made = {names.connection(KUBERNETES): kubernetes_extra(names)} if team.is_tenant else {}
    filled = tuple(names.connection(name) for name in team.airflow.connections)
    return Wanted(team=team.team, slots=team.airflow.pool_slots, made=made, filled=filled)


def kubernetes_extra(names: Names) -> str:
    """The worker's own account is the identity: there is no secret in it."""
    return json.dumps({"in_cluster": True, "namespace": names.namespace})


def missing_rows(want: Wanted, found: Found) -> Iterator[str]:
    """What an apply would write, a line each."""
    if not found.team:
        yield f"team {want.team}"
    pool = found.pools.get(Names(want.team).pool)
    if pool is None:
        yield f"pool {want.team}: {want.slots} slots"
    elif pool != Pool(slots=want.slots, team=want.team):
        yield f"pool {want.team}: {pool.slots} -> {want.slots} slots"
    for name in want.made:
        if name not in found.connections:
            yield f"connection {name}"


def conflicts(want: Wanted, found: Found) -> Iterator[str]:
    """What carries the team's name and is another's, or everybody's: whoever made it may have done so on purpose."""
    pool = found.pools.get(Names(want.team).pool)
    if pool is not None and pool.team != want.team:
        yield f"pool {want.team} is {_whose(pool.team)}"
    for kind, rows in (("connection", found.connections), ("variable", found.variables)):
        for name, team in rows.items():
            if team != want.team and name.startswith(f"{want.team}__"):
                yield f"{kind} {name} is {_whose(team)}"


def unfilled(want: Wanted, found: Found) -> Iterator[str]:
    """Connections of the team file that nobody has made yet, with the command that makes one."""
    for name in want.filled:
        if name not in found.connections:
            yield f"connection {name} is not there: airflow connections add {name} --team-name {want.team} --conn-uri ..."


def superfluous_rows(team: str, found: Found) -> Iterator[str]:
    """What a farewell deletes, in its order: a secret that outlived its team would be everybody's."""
    for kind, rows in (("connection", found.connections), ("variable", found.variables)):
        yield from (f"{kind} {name}" for name, whose in rows.items() if whose == team)
    yield from (f"pool {name}" for name, pool in found.pools.items() if pool.team == team)
    yield from (f"link of bundle {name}" for name in found.bundles)
    if found.team:
        yield f"team {team}"


def _whose(team: str | None) -> str:
    return "everybody's" if team is None else f"of team '{team}'"

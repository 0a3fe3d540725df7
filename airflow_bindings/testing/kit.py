"""The kit ``airflow`` of the isolation matrix: attacks over REST, as each team's own user.

Needed: ``airflow_url``, and ``airflow_<team>=user:password`` for two teams; ``airflow_admin`` for the witnesses.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from airflow_bindings.local.rest import Client, Reply
from airflow_bindings.onboarding.layer import NAME as LAYER
from framework.tenancy.layers import Site
from framework.testing.isolation import Attack, Deed, Gap, Refused, Unreachable, Wish, Witness

URL: Final = "airflow_url"
_NO: Final = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.UNAUTHORIZED})
_ADMIN: Final = "airflow_admin"


@dataclass(frozen=True)
class User:
    """A team, its user, and one DAG of the team."""

    team: str
    client: Client
    dag_id: str


@dataclass(frozen=True)
class AirflowKit:
    """``users`` in a ring: each is after the next one's."""

    users: Sequence[User]
    admin: User | None = None

    @property
    def layer(self) -> str:
        return LAYER

    def attacks(self) -> Iterator[Attack]:
        for mine, other in zip(self.users, [*self.users[1:], self.users[0]], strict=True):
            for family, table in (
                ("another team's DAGs", _at_dags(mine.client, other)),
                ("another team's secrets", _at_secrets(mine.client, other)),
                ("objects of everybody", _for_everybody(mine.client, other)),
            ):
                for name, deed in table.items():
                    yield Attack(LAYER, mine.team, family, name, refused(deed))

    def witnesses(self) -> Iterator[Witness]:
        """The same as the administrator, for whom the guard is not meant."""
        if self.admin is None:
            return
        other, admin = self.users[-1], self.admin.client
        yield Witness(LAYER, "another team's DAGs", partial(_done, _at_dags(admin, other)["looks at"]))
        yield Witness(
            LAYER, "another team's secrets", partial(_done, partial(admin.call, "GET", "/api/v2/connections"))
        )
        yield Witness(LAYER, "objects of everybody", partial(_make_and_remove, admin))

    def wishes(self) -> Iterator[Wish]:
        for mine in self.users:
            dag = f"/api/v2/dags/{quote(mine.dag_id, safe='')}"
            for name, path in {
                "lists DAGs": "/api/v2/dags",
                "looks at its DAG": dag,
                "reads its details": f"{dag}/details",
                "lists its runs": f"{dag}/dagRuns",
                "lists its tasks": f"{dag}/tasks",
                "lists import errors": "/api/v2/importErrors",
                "lists pools": "/api/v2/pools",
                "lists assets": "/api/v2/assets",
            }.items():
                yield Wish(LAYER, mine.team, name, partial(_done, partial(mine.client.call, "GET", path)))

    def clear(self) -> None:
        """Nothing: what the witnesses make, they remove."""

    def gaps(self) -> Sequence[Gap]:
        return GAPS


GAPS: Final = (
    Gap(LAYER, "a task may trigger another team's DAG", "a run's place, inputs and rights are those of the DAG's own team"),
    Gap(LAYER, "a task may overwrite another team's Variable", "nothing of ours reads a Variable"),
    Gap(LAYER, "a task may emit an event of another team's asset", "a DAG starts on events of teams that it names, and data comes from manifests"),
    Gap(LAYER, "LocalExecutor's tasks are processes of one user", "an executor of its own for each team; on one machine, no wall"),
)  # fmt: skip


def kit(site: Site) -> AirflowKit:
    """What the entry point ``teamspark.isolation`` names. Raises: Unreachable."""
    url = site.options.get(URL)
    named = [team for team in sorted(site.teams.by_name) if f"{LAYER}_{team}" in site.options]
    if url is None or len(named) < 2:
        raise Unreachable(f"needed: --isolation-option {URL}=http://..., and {LAYER}_<team>=user:password of two teams")
    users = tuple(_user(url, team, site.options[f"{LAYER}_{team}"]) for team in named)
    admin = site.options.get(_ADMIN)
    return AirflowKit(users, None if admin is None else _user(url, "admin", admin))


def _user(url: str, team: str, login: str) -> User:
    name, _, password = login.partition(":")
    return User(team, Client(url, name, password), f"{team}.daily")


def refused(deed: Callable[[], Any]) -> Deed:
    """``deed``, with the server's no told as the wall's."""

    def tried() -> None:
        reply = deed()
        if reply.status in _NO:
            raise Refused(f"{reply.status} {reply.body}")
        _accept(reply)

    return tried


def _done(deed: Callable[[], Any]) -> None:
    _accept(deed())


def _accept(reply: Reply) -> None:
    if reply.status >= HTTPStatus.BAD_REQUEST:
        raise LookupError(f"{reply.status} {reply.body}")


def _at_dags(client: Client, other: User) -> dict[str, Callable[[], Reply]]:
    dag = f"/api/v2/dags/{quote(other.dag_id, safe='')}"
    call = partial(partial, client.call)
    run = {"logical_date": None, "conf": {"team": client.user}}
    return {
        "looks at": call("GET", dag),
        "reads the details of": call("GET", f"{dag}/details"),
        "reads the source of": call("GET", f"/api/v2/dagSources/{quote(other.dag_id, safe='')}"),
        "lists the runs of": call("GET", f"{dag}/dagRuns"),
        "lists the tasks of": call("GET", f"{dag}/tasks"),
        "starts": call("POST", f"{dag}/dagRuns", run),
        "stops": call("PATCH", dag, {"is_paused": True}),
        "deletes": call("DELETE", dag),
        "clears": call("POST", f"{dag}/clearTaskInstances", {"dry_run": True}),
        "reads XComs of": call("GET", f"{dag}/dagRuns/~/taskInstances/~/xcomEntries"),
        "lists the task instances of": call("GET", f"{dag}/dagRuns/~/taskInstances"),
        "lists the versions of": call("GET", f"{dag}/dagVersions"),
    }


def _at_secrets(client: Client, other: User) -> dict[str, Callable[[], Reply]]:
    call = partial(partial, client.call)
    name = f"{other.team}__warehouse"
    made: Mapping[str, Any] = {"connection_id": f"{other.team}__new", "conn_type": "http", "team_name": other.team}
    return {
        "reads a connection": call("GET", f"/api/v2/connections/{name}"),
        "changes a connection": call(
            "PATCH", f"/api/v2/connections/{name}", {"connection_id": name, "conn_type": "http"}
        ),
        "deletes a connection": call("DELETE", f"/api/v2/connections/{name}"),
        "makes a connection": call("POST", "/api/v2/connections", made),
        "tests a connection": call("POST", "/api/v2/connections/test", made),
        "makes a variable": call(
            "POST", "/api/v2/variables", {"key": f"{other.team}__x", "value": "1", "team_name": other.team}
        ),
        "deletes a pool": call("DELETE", f"/api/v2/pools/{other.team}"),
        "grows a pool": call("PATCH", f"/api/v2/pools/{other.team}", {"slots": 1000}),
    }


def _for_everybody(client: Client, other: User) -> dict[str, Callable[[], Reply]]:
    """What has no team is everybody's, and may take a name that another team will look for."""
    call = partial(partial, client.call)
    return {
        "a connection": call(
            "POST", "/api/v2/connections", {"connection_id": f"{other.team}__squat", "conn_type": "http"}
        ),
        "a variable": call("POST", "/api/v2/variables", {"key": f"{other.team}__squat", "value": "1"}),
        "a pool": call("POST", "/api/v2/pools", {"name": f"{other.team}__squat", "slots": 1}),
        "a new default pool": call("PATCH", "/api/v2/pools/default_pool", {"slots": 1}),
        "an asset's event": call("POST", "/api/v2/assets/events", {"asset_id": 1, "extra": {}}),
    }


def _make_and_remove(admin: Client) -> None:
    _accept(admin.call("POST", "/api/v2/pools", {"name": "isolation", "slots": 1}))
    _accept(admin.call("DELETE", "/api/v2/pools/isolation"))

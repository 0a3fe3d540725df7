"""Connections for one run: resolved here, in the running team, and handed to the driver in a file of their own.

The server decides which connections a team sees. Nothing of them is in the exported configuration, in XCom or in a log.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from airflow_bindings.admission import Admitted
from framework.connections import Connection, Connections
from framework.errors import ConfigError


def handed_over(admitted: Admitted, workspace: Path) -> bytes | None:
    """What the run of ``admitted`` gets; None when it needs nothing. Raises: ConfigError with all that are missing."""
    demanded, perhaps = set(_of_destinations(admitted)), set(_of_sources(admitted, workspace))
    if admitted.linked.sources is not None:
        demanded, perhaps = demanded | perhaps, set()
    names = sorted(demanded | perhaps)
    return _resolved(names, demanded, where=str(admitted.run.key)).json_bytes() if names else None


def _of_destinations(admitted: Admitted) -> tuple[str, ...]:
    if not admitted.told.destinations:
        return ()
    from framework.destinations.kinds import connections_of

    return connections_of(admitted.told.destinations)


def _of_sources(admitted: Admitted, workspace: Path) -> tuple[str, ...]:
    """Those of the job's sources; of all of the team's where nobody exported which sources the job has."""
    from framework.sources import connections_of, sources_in

    team, known = admitted.run.key.team, admitted.linked.sources
    declared = sources_in(workspace, team)
    return connections_of(declared, declared if known is None else known)


def _resolved(names: Iterable[str], demanded: set[str], *, where: str) -> Connections:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException

    found: dict[str, Connection] = {}
    missing: list[str] = []
    for name in names:
        try:
            found[name] = _plain(BaseHook.get_connection(name))
        except AirflowNotFoundException:
            missing.append(name)
    missing = [name for name in missing if name in demanded]
    if missing:
        raise ConfigError(
            "the team has no such connection",
            where=where,
            got=", ".join(missing),
            next_step="add it to the team in Airflow (Admin, Connections), or name one that the team has",
        )
    return Connections(connections=found)


def _plain(given: Any) -> Connection:
    """Airflow's connection as the driver's."""
    extra: Mapping[str, Any] = given.extra_dejson
    return Connection(
        kind=given.conn_type,
        host=given.host or None,
        port=given.port,
        database=given.schema or None,
        user=given.login or None,
        password=given.password or None,
        options={name: value if isinstance(value, str) else json.dumps(value) for name, value in extra.items()},
    )

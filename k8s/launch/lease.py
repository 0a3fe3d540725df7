"""One launcher at a time in a namespace: a Lease (coordination.k8s.io), held for the moment of looking and creating.

Losing it costs a wait, never correctness: whoever created a driver looks again, and withdraws it if it has no room.
"""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Final

from framework.errors import NoRoom
from k8s.answers import Conflict
from k8s.client import Cluster, Place
from k8s.render.objects import Obj, thing

NAME: Final = "teamspark-launch"
API: Final = "coordination.k8s.io/v1"
LIVES_S: Final = 15.0
"""A holder that has not let go by then has died."""
_POLL_MS: Final = range(100, 300)


@contextmanager
def held(cluster: Cluster, namespace: str, *, within_s: float = 60.0) -> Iterator[None]:
    """Raises: NoRoom when others do not let go of it in time; whatever the cluster says."""
    holder = secrets.token_hex(8)
    lease = _taken(cluster, namespace, holder, time.monotonic() + within_s)
    try:
        yield
    finally:
        _let_go(cluster, lease)


def _taken(cluster: Cluster, namespace: str, holder: str, deadline: float) -> Obj:
    seen: tuple[str, float] = ("", 0.0)
    place = Place(API, "Lease", namespace, NAME)
    while True:
        found = cluster.get(place)
        version = "" if found is None else found["metadata"]["resourceVersion"]
        if version != seen[0]:
            seen = (version, time.monotonic())
        # By our own clock: unchanged for as long as it may live, whatever clocks others have.
        over = time.monotonic() - seen[1] > LIVES_S
        if found is None or not found["spec"].get("holderIdentity") or over:
            try:
                return _write(cluster, namespace, holder, found)
            except Conflict:
                seen = ("", 0.0)
        if time.monotonic() > deadline:
            raise NoRoom("others of the team are being started", where=str(place), next_step="wait: it is tried again")
        time.sleep(secrets.choice(_POLL_MS) / 1000)  # not all at the same moment


def _write(cluster: Cluster, namespace: str, holder: str, found: Obj | None) -> Obj:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": int(LIVES_S), "renewTime": _now()}
    if found is None:
        return cluster.create(thing("Lease", NAME, namespace=namespace, api=API, spec=spec))
    return cluster.replace({**found, "spec": spec})


def _let_go(cluster: Cluster, lease: Obj) -> None:
    with suppress(Conflict):  # somebody took us for dead, and has it now
        cluster.replace({**lease, "spec": {**lease["spec"], "holderIdentity": ""}})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

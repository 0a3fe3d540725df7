"""What a cluster does a moment after it was told: kinds are served, policies take hold, namespaces go."""

import time
from collections.abc import Callable, Sequence
from typing import Final

from framework.errors import ClusterUnavailable, PolicyError, SetupError
from k8s.client import Cluster, Place
from k8s.pods import small_pod
from k8s.render.admission import FOREIGN_IMAGE
from k8s.render.objects import GROUP, Obj

HELD_S: Final = 30.0
"""Policies take hold within a second or two; a cluster that takes this long has another trouble."""
GONE_S: Final = 120.0
_LOOK_S: Final = 0.2
_NOBODYS: Final = "teamspark.invalid/nobody/nothing:1"


def canary(team: str) -> Obj:
    """A pod that Pod Security and the quota let pass, of an image that is nobody's: the policies alone deny it."""
    return small_pod(team, _NOBODYS)


def await_policies(cluster: Cluster, team: str, within_s: float = HELD_S) -> None:
    """Until a pod that must be denied is; it is only asked for, never made.

    Raises: ClusterUnavailable when they do not take hold; what ``Cluster`` raises.
    """

    def denied() -> bool:
        try:
            cluster.create(canary(team), dry_run=True)
        except PolicyError as error:
            return FOREIGN_IMAGE in str(error)
        return False

    _await(denied, "the admission policies do not hold", f"namespace {team}", within_s)


def apply_when_served(cluster: Cluster, one: Obj, within_s: float = HELD_S) -> None:
    """Apply an object; one of a kind of ours, which may have been defined a moment ago, until it is served.

    Raises: what ``Cluster.apply`` raises.
    """
    deadline = time.monotonic() + within_s
    while True:
        try:
            cluster.apply(one)
        except SetupError:
            if not one["apiVersion"].startswith(f"{GROUP}/") or time.monotonic() > deadline:
                raise
            time.sleep(_LOOK_S)
        else:
            return


def await_gone(cluster: Cluster, places: Sequence[Place], within_s: float = GONE_S) -> None:
    """Until none of them is there. Raises: ClusterUnavailable naming what is left."""

    def gone() -> bool:
        return all(cluster.get(place) is None for place in places)

    _await(gone, "the cluster is still taking it away", ", ".join(map(str, places)), within_s)


def _await(there: Callable[[], bool], what: str, where: str, within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not there():
        if time.monotonic() > deadline:
            raise ClusterUnavailable(what, where=where, got=f"nothing within {within_s:g} s", next_step="run again")
        time.sleep(_LOOK_S)

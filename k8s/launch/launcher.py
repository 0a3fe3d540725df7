"""Launches as pods of the team's namespace, made and watched with the team's own account.

Every step may be cut off or its answer lost: a name is used once, so that what is there already is ours and is completed;
and the pod owns all the rest, so that nothing is left when it goes.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeVar
from urllib.parse import urlencode

from framework.errors import ClusterUnavailable, ConfigError, NoRoom, RunLost, TeamsparkError
from framework.identity import RunKey
from framework.launch.base import UNFINISHED, Executor, LaunchRequest, Phase, Status
from framework.tenancy.names import Names
from k8s.answers import Conflict, NotAllowed, Stranger
from k8s.client import Cluster, Place
from k8s.launch.lease import held
from k8s.launch.naming import DRIVER, EXECUTOR, LAUNCH, ROLE, RUN, executor_prefix, identity_of, run_label
from k8s.launch.needs import Needs, Never, Waits, executors_of, quota_of, room_for
from k8s.launch.parts import GRACE_S
from k8s.launch.pods import Launch, launch_of, owned
from k8s.launch.program import steps_of
from k8s.launch.reading import Patience, ended_at, executor_of, refused, shortage, stale, status_of
from k8s.render.amounts import NAME as QUOTA
from k8s.render.objects import Obj
from k8s.standing import Standing

GONE_S: Final = 60.0
_POLL_S: Final = 0.2
# Of an executor that ended badly, of how many of them, and of what a driver has printed lately.
WORDS: Final = 8_192
SPEAKERS: Final = 3
_LATELY: Final = 32_768
# A container's log is asked for by lines; these are more than as many bytes have.
_LINES: Final = 300
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Habits:
    """How a launcher bears with its cluster. ``answer_s``: how long an API server may be away; ``doubt_s``: how long it may deny
    what it has not read yet; ``keep_s``: how long the pod of a finished run, and with it its log, is kept.
    """

    answer_s: float = 60.0
    doubt_s: float = 10.0
    keep_s: float = 86_400.0
    patience: Patience = field(default_factory=Patience)


class KubernetesLauncher:
    """Launches of one team."""

    def __init__(self, cluster: Cluster, team: str, standing: Standing = None, habits: Habits | None = None) -> None:
        self._cluster = cluster
        self._space = Names(team).namespace
        self._standing = standing
        self._habits = habits or Habits()
        # Of launches that were looked at: the containers that print, in the order in which they do.
        self._steps: dict[str, tuple[str, ...]] = {}

    def start(self, request: LaunchRequest) -> None:
        launch = launch_of(request, self._standing)
        pod = self._pod(request.name)
        if pod is None:
            pod = self._admitted(request, launch)
        elif pod["metadata"].get("deletionTimestamp"):
            raise NoRoom("its former pod is still being taken away", where=request.name, next_step="wait a moment")
        found = identity_of(pod)
        if found != (request.key, request.epoch, request.clear_number):
            expected = None if found is None else found[0]
            raise ConfigError("this launch name is taken", where=request.name, got=request.key, expected=expected)
        with self._or_nothing(pod):
            for one in (launch.config, launch.secret):
                if one is not None and not _ended(pod):
                    self._create(owned(one, pod))

    def status(self, name: str) -> Status:
        pod = self._pod(name)
        found = None if pod is None else status_of(pod, self._habits.patience, now=datetime.now(UTC))
        if pod is None or found is None:
            return Status(name, Phase.ABSENT)
        wanted = executors_of(pod)
        if found.phase is not Phase.RUNNING or found.why or not wanted:
            return found
        return replace(found, why=shortage(wanted, self._executors(name), lambda: self._lately(name)))

    def unfinished(self, key: RunKey) -> tuple[Status, ...]:
        pods = self._pods(f"{RUN}={run_label(key)},{ROLE}={DRIVER}")
        statuses = (status_of(one, self._habits.patience, now=datetime.now(UTC)) for one in pods)
        return tuple(sorted((s for s in statuses if s and s.key == key and _alive(s, pods)), key=lambda s: s.name))

    def kill(self, name: str) -> None:
        pod = self._pod(name)
        if pod is None or _ended(pod):
            return
        uid = pod["metadata"]["uid"]
        self._ask(lambda: self._cluster.delete(self._place(name), uid=uid, grace_s=GRACE_S))
        deadline = time.monotonic() + GONE_S
        while self._left_of(name, uid):
            if time.monotonic() > deadline:
                raise RunLost(
                    "a run does not end", where=name, next_step=f"kubectl -n {self._space} describe pod {name}"
                )
            time.sleep(_POLL_S)

    def clear(self, name: str) -> None:
        """Also executors that a driver left which did not end by itself: its own pod stays, and so would they. Those that have
        ended stay as long as it does, for their logs.
        """
        for one in self._pods(f"{LAUNCH}={name},{ROLE}={EXECUTOR}"):
            if not _ended(one):
                self._remove(one)
        for kind in ("Secret", "ConfigMap"):
            self._ask(lambda kind=kind: self._cluster.delete(Place("v1", kind, self._space, name)))  # type: ignore[misc]  # a loop's variable, bound

    def log(self, name: str, *, offset: int = 0, limit: int = 65_536) -> bytes:
        """The API has no offset: so much more is asked for, and the beginning dropped; or so many lines from the end. Containers
        that take turns print one after the other.
        """
        found = b""
        for step in self._known_steps(name):
            if offset < 0:
                found += self._printed(name, container=step, tailLines=_LINES)
            elif len(found) < offset + limit:
                found += self._printed(name, container=step, limitBytes=offset + limit - len(found))
        return found[offset:][:limit]

    def _known_steps(self, name: str) -> tuple[str, ...]:
        """No answer: those of most."""
        if name not in self._steps:
            with suppress(TeamsparkError):
                self._pod(name)
        return self._steps.get(name, (DRIVER,))

    def executors(self, name: str) -> tuple[Executor, ...]:
        found = self._executors(name)
        bad = [one for one in found if one.ended_badly]
        rest = [one for one in found if not one.ended_badly]
        heard = [replace(one, words=self._printed(one.name, tailLines=_LINES)[-WORDS:]) for one in bad[:SPEAKERS]]
        return (*heard, *bad[SPEAKERS:], *rest, *self._never_made(name, len(found)))

    def _executors(self, name: str) -> tuple[Executor, ...]:
        """The last to end first."""
        pods = sorted(self._pods(f"{LAUNCH}={name},{ROLE}={EXECUTOR}"), key=ended_at, reverse=True)
        return tuple(executor_of(one, datetime.now(UTC)) for one in pods)

    def _never_made(self, name: str, made: int) -> Iterator[Executor]:
        """What the driver was refused last, where it has fewer than it wants: no pod tells of it."""
        pod = self._pod(name)
        if pod is not None and made < executors_of(pod) and (found := refused(self._lately(name))):
            yield Executor(f"{executor_prefix(name)}-exec", Phase.ABSENT, why=found[1], reason=found[0])

    def _lately(self, name: str) -> str:
        return self.log(name, offset=-_LATELY).decode(errors="replace")

    def _printed(self, pod: str, **query: object) -> bytes:
        """Nothing where there is no container yet, no pod any more, or no answer: the next look asks again."""
        path = f"/api/v1/namespaces/{self._space}/pods/{pod}/log?{urlencode(query)}"
        try:
            return self._cluster.ask_bytes("GET", path)
        except TeamsparkError:
            return b""

    def _admitted(self, request: LaunchRequest, launch: Launch) -> Obj:
        """The pod, made where there is room for all of the run. Raises: NoRoom, ConfigError."""
        assert request.resources is not None, "launch_of asks for them"
        needs = Needs.of(request.resources)
        with held(self._cluster, self._space):
            pods = self._require_room(needs, request.name)
            pod = self._create(launch.pod)
        with self._or_nothing(pod):
            # Where the lease was lost two may have looked at one time. Who sees too much then withdraws.
            self._require_room(needs, request.name)
        for old in stale(pods, self._habits.keep_s, now=datetime.now(UTC)):
            self._remove(old)
        return pod

    def _require_room(self, needs: Needs, name: str) -> tuple[Obj, ...]:
        """All pods of the namespace, where there is room. Raises: NoRoom, ConfigError."""
        pods = self._pods("")
        quota = self._ask(lambda: self._cluster.get(Place("v1", "ResourceQuota", self._space, QUOTA)))
        if quota is None:
            return pods
        answer = room_for(needs, quota_of(quota), pods, own=name)
        if isinstance(answer, Never):
            raise ConfigError(
                "this run can never fit",
                where=name,
                got=answer.why,
                next_step="choose a smaller size, or ask for quota",
            )
        if isinstance(answer, Waits):
            raise NoRoom("the run waits for room", where=name, got=answer.why, next_step="it starts when others end")
        return pods

    @contextmanager
    def _or_nothing(self, pod: Obj) -> Iterator[None]:
        """Where a later step is refused, the pod goes, and all that it owns. A cluster that is away may have done the step."""
        try:
            yield
        except TeamsparkError as error:
            if not isinstance(error, ClusterUnavailable):
                self._remove(pod)
            raise

    def _create(self, one: Obj) -> Obj:
        """Made, or found made: the answer to a first request may have been lost."""
        try:
            return self._ask(lambda: self._cluster.create(one))
        except Conflict:
            found = self._ask(lambda: self._cluster.get(Place.of(one))) if one["kind"] == "Pod" else one
            if found is None:
                raise RunLost("a run was taken away while it was started", where=one["metadata"]["name"]) from None
            return found

    def _left_of(self, name: str, uid: str) -> bool:
        """Whether the driver or one of its executors is there. Executors that outlive it are ended by name."""
        pods = self._pods(f"{LAUNCH}={name}")
        if any(one["metadata"]["uid"] == uid for one in pods):
            return True
        for one in pods:
            self._remove(one)
        return bool(pods)

    def _remove(self, pod: Obj) -> None:
        place, uid = self._place(pod["metadata"]["name"]), pod["metadata"]["uid"]
        self._ask(lambda: self._cluster.delete(place, uid=uid, grace_s=0))

    def _pod(self, name: str) -> Obj | None:
        found = self._ask(lambda: self._cluster.get(self._place(name)))
        if found is not None:
            self._steps[name] = steps_of(found)
        return found

    def _pods(self, labels: str) -> tuple[Obj, ...]:
        return self._ask(lambda: self._cluster.list("v1", "Pod", namespace=self._space, labels=labels or None))

    def _place(self, name: str) -> Place:
        return Place("v1", "Pod", self._space, name)

    def _ask(self, question: Callable[[], _T]) -> _T:
        """All that is asked here may be asked twice. An API server that restarts is away for some seconds."""
        began, pause = time.monotonic(), _POLL_S
        while True:
            try:
                return question()
            except (ClusterUnavailable, NotAllowed, Stranger) as error:
                patience = self._habits.answer_s if error.retryable else self._habits.doubt_s
                if time.monotonic() + pause > began + patience:
                    raise
            time.sleep(pause)
            pause = min(2 * pause, 5.0)


def _ended(pod: Obj) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def _alive(status: Status, pods: tuple[Obj, ...]) -> bool:
    """A pod that was given up is not finished until it is gone."""
    return status.phase in UNFINISHED or any(one["metadata"]["name"] == status.name and not _ended(one) for one in pods)

"""Makes the runs of an itinerary over REST, each as its team's own user, and watches them to the end."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from airflow_bindings.local.errors import AirflowRefused, AirflowUnavailable
from airflow_bindings.local.rest import FINISHED, Client, RunId
from airflow_bindings.local.supervisor import Running
from framework.errors import DefinitionError, JobFailed, ServerFailed

POLL_S: Final = 1.5
PARSED_S: Final = 90.0
LOG_LINES: Final = 14
SHORT_LOG_LINES: Final = 5
"""Of each of several."""
DONE: Final = frozenset({"success", "failed", "upstream_failed", "skipped", "removed"})


@dataclass(frozen=True, slots=True)
class Leg:
    """One run to make: this team's DAG, for this logical date."""

    team: str
    dag_id: str
    date: datetime

    def __str__(self) -> str:
        return f"{self.dag_id} {self.date:%Y-%m-%d}"


LastWords: TypeAlias = Callable[[Mapping[str, Any]], str | None]
"""What a task instance last wrote into its log."""


class Watcher(Protocol):
    """Who is told what happens. Task instances are as Airflow's REST API gives them."""

    def started(self, leg: Leg, *, again: bool) -> None: ...
    def looked(self, leg: Leg, instances: Sequence[Mapping[str, Any]], last_words: LastWords) -> None: ...


@dataclass(frozen=True, slots=True)
class Arrival:
    """A leg whose run succeeded, with its task instances."""

    leg: Leg
    run: RunId
    instances: tuple[Mapping[str, Any], ...]


@dataclass(slots=True)
class _Journey:
    """One itinerary on its way."""

    ahead: list[Leg]
    leg: Leg | None = None
    run: RunId | None = None
    arrivals: list[Arrival] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Driver:
    """Runs itineraries on a stack that is up. ``timeout_s`` is for all of them together."""

    live: Running
    watcher: Watcher
    timeout_s: float

    def await_dags(self, dag_ids: Mapping[str, str], since: datetime, *, file: str | None = None) -> None:
        """Wait until each DAG (id to team) has been read after ``since``: an older record may be of other code.

        Import errors end it, with ``file`` (a path's end) those of that file only.
        Raises: DefinitionError with the file's error; ServerFailed.
        """
        deadline = time.monotonic() + PARSED_S
        while missing := [dag for dag, team in dag_ids.items() if not _read_since(self.client(team), dag, since)]:
            self.live.check()
            self._raise_import_errors(since, file or "")
            if time.monotonic() > deadline:
                raise ServerFailed(
                    "DAGs did not appear",
                    got=f"no {', '.join(missing)}",
                    expected=f"read within {PARSED_S:.0f} s",
                    next_step=f"read the logs in {self.live.stack.home / 'logs' / 'dag_processor'}",
                )
            time.sleep(POLL_S)

    def refresh(self, leg: Leg) -> None:
        """Ask for the leg's DAG file to be read now, if Airflow knows it. Refused, it is read when its turn comes."""
        record = self.client(leg.team).dag(leg.dag_id)
        if record is not None:
            with suppress(AirflowRefused):
                self.client(leg.team).read_again(record)

    def travel(self, itineraries: Iterable[Sequence[Leg]]) -> list[Arrival]:
        """Make every run, those of one itinerary one after another.

        Raises: JobFailed with the end of the failing task's log; ServerFailed.
        """
        journeys = [_Journey(list(legs)) for legs in itineraries]
        deadline = time.monotonic() + self.timeout_s
        while any([self._advance(journey) for journey in journeys]):  # noqa: C419 - each of them, every time
            self.live.check()
            if time.monotonic() > deadline:
                raise ServerFailed("the runs did not end", expected=f"within {self.timeout_s:.0f} s")
            time.sleep(POLL_S)
        return [arrival for journey in journeys for arrival in journey.arrivals]

    def client(self, team: str) -> Client:
        return self.live.client(team)

    def _advance(self, journey: _Journey) -> bool:
        """One look at a journey; whether it goes on."""
        if journey.run is None or journey.leg is None:
            if not journey.ahead:
                return False
            journey.leg = journey.ahead.pop(0)
            journey.run = self._begin(journey.leg)
            return True
        client = self.client(journey.leg.team)
        instances = client.task_instances(journey.run)
        words = partial(_last_words, client, journey.run)
        self.watcher.looked(journey.leg, instances, words)
        # Each question costs the machine that runs the tasks: the run is asked for once its tasks are done.
        if any(one["state"] not in DONE for one in instances):
            return True
        state = client.state(journey.run)
        if state not in FINISHED:
            return True
        # A finished run's instances change no more: only now is what they say final.
        instances = client.task_instances(journey.run)
        self.watcher.looked(journey.leg, instances, words)
        if not instances:
            raise JobFailed(
                "a run had no task", where=str(journey.leg), next_step="look at the DAG's start_date, and its tasks'"
            )
        if state != "success":
            raise _failure(client, journey.leg, journey.run, instances)
        journey.arrivals.append(Arrival(journey.leg, journey.run, tuple(instances)))
        journey.run = None
        return bool(journey.ahead)

    def _begin(self, leg: Leg) -> RunId:
        """Make the leg's run, or make an existing one run again."""
        client = self.client(leg.team)
        client.unpause(leg.dag_id)
        run = client.run_of(leg.dag_id, leg.date)
        self.watcher.started(leg, again=run is not None)
        if run is not None and client.state(run) in FINISHED and client.task_instances(run):
            client.clear(run)
            return run
        if run is not None and self.live.kept_by_other:
            return run
        if run is not None:
            # Left half way by a stack that was stopped, or made when the DAG had no task yet: nobody works on it any more.
            client.delete(run)
        return client.trigger(leg.dag_id, leg.date)

    def _raise_import_errors(self, since: datetime, file: str) -> None:
        told = self.live.client("admin").import_errors()
        # One of before ``since`` may be mended by now.
        found = [one for one in told if str(one["filename"]).endswith(file) and _moment(one["timestamp"]) >= since]
        if found:
            raise DefinitionError(
                "a DAG file cannot be read",
                where=str(found[0]["filename"]),
                details=str(found[0]["stack_trace"]).strip().splitlines()[-LOG_LINES:],
                next_step="mend it; Airflow reads it again within half a minute",
            )


def _log_lines(client: Client, run: RunId, instance: Mapping[str, Any]) -> list[str]:
    """Without Airflow's marks of groups."""
    return [line for line in client.log(run, instance) if line.strip() and not line.startswith("::")]


def _last_words(client: Client, run: RunId, instance: Mapping[str, Any]) -> str | None:
    try:
        lines = _log_lines(client, run, instance)
    except (AirflowRefused, AirflowUnavailable):
        return None  # it has written none yet
    return lines[-1] if lines else None


def _read_since(client: Client, dag_id: str, since: datetime) -> bool:
    record = client.dag(dag_id)
    parsed = record and record.get("last_parsed_time")
    return bool(parsed) and _moment(parsed) >= since


def _moment(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _failure(client: Client, leg: Leg, run: RunId, instances: Iterable[Mapping[str, Any]]) -> JobFailed:
    failed = [one for one in instances if one["state"] == "failed"]
    if not failed:
        return JobFailed("a run failed without a failed task", where=str(leg), next_step="look at it: --keep")
    if len(failed) > 1:
        return JobFailed(
            f"{len(failed)} tasks failed: {', '.join(map(_named, failed))}",
            where=str(leg),
            got="the ends of their logs:",
            details=[line for one in failed for line in _end_of_log(client, run, one)],
        )
    lines = _log_lines(client, run, failed[0])
    return JobFailed(
        f"task {_named(failed[0])} failed",
        where=str(leg),
        got=f"try {failed[0]['try_number']}; the end of its log:",
        details=lines[-LOG_LINES:],
    )


def _named(instance: Mapping[str, Any]) -> str:
    index = int(instance.get("map_index", -1))
    return f"{instance['task_id']}[{index}]" if index >= 0 else str(instance["task_id"])


def _end_of_log(client: Client, run: RunId, instance: Mapping[str, Any]) -> list[str]:
    lines = _log_lines(client, run, instance)[-SHORT_LOG_LINES:]
    return [f"{_named(instance)}, try {instance['try_number']}:", *(f"  {line}" for line in lines)]

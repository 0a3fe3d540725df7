"""The life of a task: admit, launch or adopt, wait, and always clean up.

Airflow's own ``pre_execute`` and ``post_execute`` are not used: the second is skipped on failure and on deferral, and
gets no result. These phases are called from ``execute`` and from ``resume``, so they hold on every way out.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, NoReturn

from airflow_bindings.admission import Admitted, admit
from airflow_bindings.handover import handed_over
from airflow_bindings.launching import Site, site_of
from airflow_bindings.outcome import NOT_YET, Again, Done, Patience, Seen, Stop, decide
from airflow_bindings.report import announce, told_of
from airflow_bindings.settings import Settings, read_settings
from airflow_bindings.state import LaunchState, StateStore, load, save, store_of
from framework.diagnosis import Where
from framework.errors import FinalError, NoRoom, RetryableError, RunLost, Superseded, TeamsparkError, scrub
from framework.launch.base import ADOPTABLE, ENDED_BADLY, UNFINISHED, Launcher, LaunchRequest, Status

# Airflow kills a task five seconds after asking it to end, so the question is looked at often.
TICK_S: Final = 0.2
MAX_LOG_BYTES: Final = 1 << 20
END_BYTES: Final = 8_192


def execute(task: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """All phases of a try. Raises: AirflowFailException (final), AirflowException (retried), TaskDeferred."""
    with _as_airflow_errors():
        life = _life(task, context)
        with life.cleaned_up():
            life.adopt_or_launch()
            return life.to_the_end()


def resume(task: Any, context: Mapping[str, Any]) -> dict[str, Any]:
    """The rest of a try after a deferral, in a new process. Raises: as ``execute``."""
    with _as_airflow_errors():
        life = _life(task, context)
        with life.cleaned_up():
            life.require_launch()
            return life.to_the_end()


def abandon(task: Any, context: Mapping[str, Any]) -> None:
    """End what a deferred task left running: its trigger failed or ran out of time."""
    with _as_airflow_errors():
        life = _life(task, context)
        life.end()


@contextmanager
def _as_airflow_errors() -> Iterator[None]:
    """Our error class says whether a retry may help; Airflow wants that said in its own classes."""
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    try:
        yield
    except TeamsparkError as error:
        said = f"{type(error).__name__}: {error}" if type(error) not in _ROOTS else str(error)
        # The message is complete; only what lies behind it, if anything, is worth a second traceback.
        raise (AirflowException if error.retryable else AirflowFailException)(said) from error.__cause__


def _life(task: Any, context: Mapping[str, Any]) -> "Life":
    settings = read_settings()
    store = store_of(context)
    admitted = admit(task, context, settings)
    site = site_of(settings, admitted.run.key.team)
    return Life(task, context, settings, admitted, store, site, load(store) or LaunchState.first())


@dataclass
class Life:
    """One process's part in the life of a task instance. ``state`` is what the store holds, or is about to."""

    task: Any
    context: Mapping[str, Any]
    settings: Settings
    admitted: Admitted
    store: StateStore
    site: Site
    state: LaunchState
    _log_read: int = 0
    _why: str | None = None

    @cached_property
    def launcher(self) -> Launcher:
        return self.site.launcher

    def adopt_or_launch(self) -> None:
        """Take over what an earlier process of this clear number started, or start anew."""
        key, name = self.admitted.run.key, self.state.name
        status = self.launcher.status(name) if name else None
        same_clear = self.state.clear_number == self.admitted.run.clear_number
        if status and same_clear and status.phase in ADOPTABLE and self.state.owns(status, key):
            self.task.log.info("Adopting launch %s, which is %s", name, status.phase)
            self._end_others(keep=name)
            return
        self.state = replace(self.state, lost=0)
        self.launch()

    def require_launch(self) -> None:
        """Raises: RunLost when the store remembers no launch."""
        if self.state.name is None:
            raise RunLost("this task was resumed, but remembers no launch", where=str(self.admitted.run.key))

    def launch(self) -> None:
        """Create the next launch. The server sees its name first, and refuses it to a try that it has replaced."""
        run, former = self.admitted.run, self.state.name
        connections = handed_over(self.admitted, self.settings.workspace)
        self.state = self.state.next_launch(run.key, try_number=run.try_number, clear_number=run.clear_number)
        save(self.store, self.state)
        self._end_others(keep=None)
        if former:
            self.launcher.clear(former)
        self._log_read = 0
        self._start(self.site.request(self.admitted, self.state, connections))
        self.task.log.info("Started %s as %s", self.admitted.told.job, self.state.name)

    def _start(self, request: LaunchRequest) -> None:
        """Waits, here or in the triggerer, as long as others of the team use what the run needs."""
        while True:
            try:
                self.launcher.start(request)
            except NoRoom as error:
                self.task.log.info("%s", error)
            else:
                break
            # Remembered, because the wait may be the triggerer's, and end in another process.
            self.state = replace(self.state, due=time.time() + self.settings.pause_s)
            save(self.store, self.state)
            self._pause(until=self.state.due)
        if self.state.due is not None:
            self.state = replace(self.state, due=None)
            save(self.store, self.state)

    def to_the_end(self) -> dict[str, Any]:
        """Watch, and launch again where that is due, until there is an outcome."""
        patience = Patience(self.settings.lost_budget, self.admitted.wait_s, self.settings.pause_s)
        while True:
            status = self.launcher.status(self._name)
            self._pin(status)
            self._relay_log()
            self._say_why(status)
            seen = self._seen(status)
            step = decide(status, self.state, patience, now=time.time(), seen=seen)
            self._tell(seen)
            if isinstance(step, Done):
                return announce(self.task, self.context, self.admitted, step.result)
            if isinstance(step, Stop):
                raise step.error
            if isinstance(step, Again):
                self._launch_again(step)
            else:
                self._pause(until=None)

    def end(self) -> None:
        """Kill the launch if it lives, and remove what only a living one needs."""
        if self.state.name:
            self.launcher.kill(self.state.name)
            self.launcher.clear(self.state.name)

    @contextmanager
    def cleaned_up(self) -> Iterator[None]:
        """Whatever ends this try ends its launch and clears its bootstraps; a deferral ends nothing."""
        from airflow.sdk.exceptions import TaskDeferred

        try:
            yield
        except TaskDeferred:
            raise
        except BaseException:
            self._relay_log()
            self.end()
            raise
        self.launcher.clear(self._name)

    @property
    def _name(self) -> str:
        assert self.state.name is not None, "a launch is remembered before it is looked at"
        return self.state.name

    def _end_others(self, *, keep: str | None) -> None:
        """Every other unfinished run of this key is killed and seen gone. Raises: Superseded if one is newer."""
        for status in self.launcher.unfinished(self.admitted.run.key):
            if status.name == keep:
                continue
            if status.epoch is not None and status.epoch.newer_than(self.state.epoch):
                raise Superseded("a newer try of this task is running", where=status.name)
            self.task.log.info("Ending launch %s of an earlier try", status.name)
            self.launcher.kill(status.name)
            self.launcher.clear(status.name)

    def _launch_again(self, step: Again) -> None:
        # A due time that is remembered already was waited for by a process before this one.
        if self.state.due is None:
            self.state = step.state
            save(self.store, self.state)
            self.task.log.info("Launch %s: %s", self._name, step.why)
            self.launcher.clear(self._name)
        if self.state.due is not None and time.time() < self.state.due:
            self._pause(until=self.state.due)
        self.launch()

    def _pause(self, *, until: float | None) -> None:
        """Let time pass, in the triggerer or here: to ``until``, or until it is time to look again."""
        if self._deferrable:
            self._defer(until)
        end = until if until is not None else time.time() + self.settings.poll_s
        while (left := end - time.time()) > 0:
            self._stop_if_killed()
            time.sleep(min(TICK_S, left))
        self._stop_if_killed()

    @property
    def _deferrable(self) -> bool:
        from airflow.sdk.configuration import conf

        chosen: bool | None = self.task.deferrable
        return conf.getboolean("operators", "default_deferrable", fallback=False) if chosen is None else chosen

    def _defer(self, due: float | None) -> NoReturn:
        from airflow_bindings.triggers import RunTrigger

        self._stop_if_killed()
        poll_s, state_dir = self.settings.poll_s, str(self.settings.state_dir)
        team = None if self.settings.launcher == "local" else self.admitted.run.key.team
        trigger = RunTrigger(
            state_dir=state_dir, name=self._name, poll_s=poll_s, due=due, team=team, pending_s=self.settings.pending_s
        )
        self.task.defer(trigger=trigger, method_name="resume", timeout=self.task.execution_timeout)
        raise AssertionError("defer() always raises")

    def _stop_if_killed(self) -> None:
        if self.task.killed:
            raise RetryableError("somebody ended this task", where=str(self.admitted.run.key))

    def _pin(self, status: Status) -> None:
        """Retries run what the first try ran."""
        if status.image is not None and self.state.image is None:
            self.state = replace(self.state, image=status.image)
            save(self.store, self.state)

    def _say_why(self, status: Status) -> None:
        """Once each time that it changes: what a run waits for."""
        if status.phase in UNFINISHED and status.why != self._why:
            self._why = status.why
            if status.why:
                self.task.log.info("Launch %s is %s: %s", self._name, status.phase, scrub(status.why))

    def _seen(self, status: Status) -> Seen:
        """What there is to be seen of a run that ended badly. A cluster that is away then takes nothing from its own error."""
        if status.phase not in ENDED_BADLY or (status.exit_code == NOT_YET and status.result is not None):
            return Seen()
        where: Where = "machine" if self.settings.launcher == "local" else "cluster"
        log = self.launcher.log(self._name, offset=-END_BYTES).decode(errors="replace")
        try:
            return Seen(log, self.launcher.executors(self._name), where)
        except TeamsparkError as error:
            self.task.log.info("Nothing is known of executors: %s", error)
            return Seen(log, (), where)

    def _tell(self, seen: Seen) -> None:
        """The last words of the run, where its log was too long for all of it, and those of executors that ended badly."""
        if seen.log and self._log_read >= MAX_LOG_BYTES:
            self.task.log.info("The end of a log of more than %d bytes:", MAX_LOG_BYTES)
            self._quote(seen.log, "|")
        for line in told_of(seen.executors):
            self.task.log.info("%s", scrub(line))

    def _quote(self, text: str, mark: str) -> None:
        for line in text.splitlines():
            self.task.log.info("%s %s", mark, scrub(line))

    def _relay_log(self) -> None:
        """What the run printed since the last look, line by line, into the task's log."""
        while self._log_read < MAX_LOG_BYTES:
            chunk = self.launcher.log(self._name, offset=self._log_read)
            if not chunk:
                return
            self._log_read += len(chunk)
            self._quote(chunk.decode(errors="replace"), "|")


_ROOTS: Final = frozenset({FinalError, RetryableError})

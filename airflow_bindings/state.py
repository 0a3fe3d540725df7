"""What a task instance remembers of its launches, in Airflow's task state store.

The store belongs to (dag, run, task, map index): it survives tries and clears, and the server refuses it to a
try that it has replaced. One value holds everything, so that it is written whole.
"""

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Final, Protocol, Self

from framework.errors import SetupError
from framework.identity import Epoch, RunKey
from framework.launch.base import Status
from framework.storage.paths import run_path

KEY: Final = "teamspark"
VERSION: Final = 1


class StateStore(Protocol):
    """The part of ``context["task_state_store"]`` that is used."""

    def get(self, key: str, default: Any = None) -> Any: ...
    def set(self, key: str, value: Any, *, retention: Any = None) -> None: ...


@dataclass(frozen=True, slots=True)
class LaunchState:
    """The last launch of a task instance, and what led to it.

    ``lost`` counts launches in a row that the machine lost. ``waiting_since`` is when this clear number first met
    an input that was not there, ``due`` when to launch again because of it (both seconds since 1970). ``image``: what this clear
    number's launches run in, by digest, once a node has told; a moving tag, or a team file that was changed, changes no retry.
    """

    incarnation: str
    launch: int = 0
    name: str | None = None
    try_number: int = 0
    clear_number: int = -1
    lost: int = 0
    waiting_since: float | None = None
    due: float | None = None
    image: str | None = None
    version: int = VERSION

    @classmethod
    def first(cls) -> Self:
        return cls(incarnation=secrets.token_hex(16))

    @property
    def epoch(self) -> Epoch:
        return Epoch(self.incarnation, self.try_number, self.launch)

    def next_launch(self, key: RunKey, *, try_number: int, clear_number: int) -> Self:
        """The state in which the next launch may be created: its name is decided here and nowhere else."""
        launch = self.launch + 1
        new = replace(
            self,
            launch=launch,
            name=launch_name(key, self.incarnation, launch),
            try_number=try_number,
            clear_number=clear_number,
            due=None,
        )
        return new if clear_number == self.clear_number else replace(new, lost=0, waiting_since=None, image=None)

    def owns(self, status: Status, key: RunKey) -> bool:
        """Whether a launch is the one remembered here, by its full identity."""
        mine = (key, self.epoch, self.clear_number)
        return mine == (status.key, status.epoch, status.clear_number)


def launch_name(key: RunKey, incarnation: str, launch: int) -> str:
    """A name for one launch: a legal DNS label of at most 63 characters, never used twice."""
    digest = sha256(run_path(key).encode()).hexdigest()
    return f"{key.team}-{digest[:12]}-{incarnation[:8]}-{launch}"


def store_of(context: Mapping[str, Any]) -> StateStore:
    """Raises: SetupError when this Airflow has no task state store."""
    store: StateStore | None = context.get("task_state_store")
    if store is None:
        raise SetupError("this Airflow keeps no task state", expected="Airflow 3.3 or newer on server and worker")
    return store


def load(store: StateStore) -> LaunchState | None:
    """What was remembered; None at the first try of a task instance."""
    value = store.get(KEY)
    return None if value is None else LaunchState(**value)


def save(store: StateStore, state: LaunchState) -> None:
    """Write the state for as long as the DAG run exists.

    Raises what the server answers, before anything is created: a try that it has replaced must stop here.
    """
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    store.set(KEY, asdict(state), retention=NEVER_EXPIRE)

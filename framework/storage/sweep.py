"""Retention carried out on a store: look at a run, take the store's time, do one step. What to do is ``retention``'s.

It may be killed anywhere, run beside itself, and be as late as it likes: what it did stands, the next one does the rest.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from framework.errors import PathError, StoreUnavailable
from framework.identity import RunKey, TaskKey
from framework.storage.attempts import Published, attempt_folder
from framework.storage.base import ATTEMPT_FOLDER, LOG_FOLDER, SlotTaken, Store, TakesParts, Upload
from framework.storage.paths import TABLES, check_run, run_path, table_path, table_share, task_path
from framework.storage.publish import AttemptState, RunLog
from framework.storage.retention import AttemptFacts, RunFacts, Slot, Step, Stray, keep_of

PROBES: Final = "_gc"
# A probe lives for the moment of one call; one that is older was left behind by a process that died in it.
_PROBE_LIFE_S: Final = 24 * 60 * 60
_MAPPED: Final = re.compile(r"map-(0|[1-9]\d{0,8})")
_RETIRED: Final = re.compile(r"(\d{4,})\.retired")

_Moments = Mapping[str, float]
Holds = Callable[[Published], bool]
"""Whether a table has rows of a published attempt, or may yet get them: then nothing of it may go."""


def store_now(store: Store, task: TaskKey) -> float:
    """The time by the clock of the store that holds ``task``: the age of a file put for that, and removed again.

    Raises: StoreUnavailable, SetupError, PathError.
    """
    return time_in(store, f"{task_path(task)}/{PROBES}")


def time_in(store: Store, folder: str) -> float:
    """As ``store_now``, by a file in ``folder``, where nothing else is. Raises: StoreUnavailable, SetupError, PathError."""
    probe = f"{folder}/{secrets.token_hex(16)}"
    try:
        with suppress(SlotTaken, StoreUnavailable):  # a lost reply is none to us: it is there or not
            store.put_if_absent(probe, b"what time is it?\n")
        found = store.stat(probe)
    finally:
        store.delete([probe])
    if found is None:
        raise StoreUnavailable(
            "the store did not take a file that asks for its time",
            where=probe,
            next_step="run again when it does; nothing was removed",
        )
    left = [entry.path for entry in store.list(folder) if entry.modified < found.modified - _PROBE_LIFE_S]
    store.delete(left)
    return found.modified


def run_keys(store: Store, task: TaskKey) -> Iterator[RunKey]:
    """Every run of ``task``, published or not, and every index of a mapped one. Raises: StoreUnavailable, PathError."""
    for segment in store.folders(task_path(task)):
        try:
            check_run(segment)
        except PathError:
            continue  # tables and probes have their places beside runs
        plain = RunKey(task.team, task.dag_id, task.task_id, segment)
        names = store.folders(run_path(plain))
        if any(name == LOG_FOLDER or ATTEMPT_FOLDER.fullmatch(name) for name in names):
            yield plain
        for index in sorted(int(match[1]) for name in names if (match := _MAPPED.fullmatch(name))):
            yield RunKey(task.team, task.dag_id, task.task_id, segment, index)


def survey(store: Store, key: RunKey, *, holds: Holds) -> RunFacts:
    """What there is of a run. Raises: StoreUnavailable, InputCorrupt, PathError."""
    place = run_path(key)
    # Before the claims: a folder that is there had its claim before it, so that none is taken for a stray.
    folders = tuple(_attempt_folders(store, key))
    log = f"{place}/{LOG_FOLDER}"
    moments = {entry.path[len(log) + 1 :]: entry.modified for entry in store.list(log)}
    attempts = RunLog(store, key).state().attempts
    claimed = {attempt_folder(one.number, one.claim.token): one for one in attempts}
    newest = max((one.number for one in attempts if one.published), default=0)
    strays = (Stray(folder, store.list(folder)) for folder in folders if _name(folder) not in claimed)
    facts = []
    for name, one in claimed.items():
        held = one.published is not None and holds(one.published)
        mine = [folder for folder in folders if _name(folder) == name]
        facts.append(_facts(store, one, moments, mine, last=one.number == newest, held=held))
    return RunFacts(tuple(facts), tuple(strays))


def _attempt_folders(store: Store, key: RunKey) -> Iterator[str]:
    """Every folder of an attempt's data: in the run's own place, and in its share of each table of the task."""
    tables = store.folders(f"{task_path(key.task)}/{TABLES}")
    shares = (f"{table_path(key.task, output)}/{table_share(key)}" for output in tables)
    for place in (run_path(key), *shares):
        yield from (f"{place}/{name}" for name in store.folders(place) if ATTEMPT_FOLDER.fullmatch(name))


def _name(folder: str) -> str:
    return folder.rpartition("/")[2]


def _facts(
    store: Store, one: AttemptState, moments: _Moments, folders: Sequence[str], *, last: bool, held: bool
) -> AttemptFacts:
    keep_s = keep_of(one.published.manifest) if one.published else None
    retired = _retired(one.number, moments)
    stays = held or (last and keep_s is None and retired is None)
    return AttemptFacts(
        number=one.number,
        slot=_slot(one),
        claimed=moments.get(f"{one.number:04d}.claim"),
        taken=moments.get(f"{one.number:04d}.published"),
        retired=retired,
        keep_s=keep_s,
        files=() if stays else tuple(file for folder in folders for file in store.list(folder)),
        held=held,
    )


def _slot(one: AttemptState) -> Slot:
    if one.published:
        return "published"
    return "tombstoned" if one.tombstoned else "open"


def _retired(number: int, moments: _Moments) -> float | None:
    """When the attempt left readers' sight: the first record of its own number or a higher one."""
    records = ((int(match[1]), moment) for name, moment in moments.items() if (match := _RETIRED.fullmatch(name)))
    return min((moment for covers, moment in records if covers >= number), default=None)


def uploads_of(store: Store, task: TaskKey) -> tuple[Upload, ...]:
    """Files of ``task`` that were begun and not completed, where a store has such. Raises: StoreUnavailable, SetupError."""
    return store.uploads(task_path(task)) if isinstance(store, TakesParts) else ()


def let_go(store: Store, step: Step) -> None:
    """Do the ``step`` of a store's uploads. Raises: StoreUnavailable, SetupError."""
    if isinstance(store, TakesParts):
        store.abort(step.uploads)


def carry_out(store: Store, key: RunKey, step: Step, *, who: str) -> bool:
    """Do ``step``; False when there is no need any more: the attempt that was to be closed has been published.

    Raises: StoreUnavailable, SetupError, InputCorrupt.
    """
    if step.action == "tombstone" and step.attempt is not None:
        return RunLog(store, key).tombstone(step.attempt, who=who)
    if step.action == "retire" and step.attempt is not None:
        RunLog(store, key).retire(step.attempt, who=who)
    else:
        store.delete(file.path for file in step.files)
    return True

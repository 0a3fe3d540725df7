"""What may be removed of a run, and from when on: a pure function of what its log and folders show.

Two orders make it safe. An attempt is closed or retired first, by a record that nobody can take back: whoever publishes
late loses, whoever plans anew takes another. Its data goes a grace period after that record, so that whoever had pinned
it can finish. Moments are seconds since the epoch by the store's clock, which is the only one that is compared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal

from framework.durations import seconds_of
from framework.manifest import Manifest
from framework.storage.base import Entry, Upload

Action = Literal["tombstone", "retire", "delete", "abort", "forget"]
Slot = Literal["open", "published", "tombstoned"]


@dataclass(frozen=True, slots=True)
class AttemptFacts:
    """A claimed attempt. A moment is None when there is no such record, or no listing has shown it yet.

    ``slot``: what stands in its publish slot, which was ``taken`` then. ``retired``: the first record that takes it, or
    it and higher ones, out of readers' sight. ``keep_s``: None for good. ``files``: all below its folders, markers too.
    ``held``: a table has its rows, or may yet get them.
    """

    number: int
    slot: Slot
    claimed: float | None = None
    taken: float | None = None
    retired: float | None = None
    keep_s: float | None = None
    files: tuple[Entry, ...] = ()
    held: bool = False


@dataclass(frozen=True, slots=True)
class Stray:
    """A folder named like an attempt's that no claim names, and all files below it."""

    folder: str
    files: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Attempts oldest first."""

    attempts: tuple[AttemptFacts, ...]
    strays: tuple[Stray, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, not before ``due``. ``attempt``: None for a stray's folder, for uploads and for event logs.

    ``files``: what is, or will be, freed; ``uploads``: what will be let go of, of sizes that no listing tells.
    """

    action: Action
    attempt: int | None
    due: float
    why: str
    files: tuple[Entry, ...] = ()
    uploads: tuple[Upload, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)


def keep_of(manifest: Manifest) -> int | None:
    """How long an attempt is kept, in seconds: as long as its longest output, since it is published as one; None for good."""
    keeps = [output.keep for output in manifest.outputs]
    if not keeps or None in keeps:
        return None
    return max(seconds_of(keep) for keep in keeps if keep is not None)


def steps_of(run: RunFacts, grace_s: float) -> tuple[Step, ...]:
    """All that is to be done about a run as it is now, in the order to do it; a later look may find more.

    Each step rests on records that never change, so it stays right however late it is carried out, and beside others.
    """
    retires = tuple(_retires(run.attempts))
    return (*_closes(run.attempts, retires, grace_s), *retires, *_deletes(run, grace_s))


def _retires(attempts: tuple[AttemptFacts, ...]) -> Iterator[Step]:
    """Lower ones first: were it the other way round, the lower ones would only be covered."""
    published = [one for one in attempts if one.slot == "published"]
    for one, higher in zip_longest(published, published[1:]):
        if one.retired is not None or one.held:
            continue
        moment, why = _outlived(one) if higher is None else (higher.taken, f"attempt {higher.number} is published")
        if moment is not None:
            yield Step("retire", one.number, moment, why, one.files)


def _outlived(newest: AttemptFacts) -> tuple[float | None, str]:
    if newest.keep_s is None or newest.taken is None:
        return None, ""
    return newest.taken + newest.keep_s, "kept as long as its outputs ask for"


def _closes(attempts: tuple[AttemptFacts, ...], retires: tuple[Step, ...], grace_s: float) -> Iterator[Step]:
    """Open attempts that nobody waits for any more, and those below one that is retired, which closes them."""
    for one in attempts:
        if one.slot != "open":
            continue
        moments = [(step.due, f"attempt {step.attempt} above it is retired") for step in retires if _above(step, one)]
        if one.claimed is not None:
            moments.append((one.claimed + grace_s, "claimed, and not published for the grace period"))
        if moments:
            moment, why = min(moments)
            yield Step("tombstone", one.number, moment, why, one.files)


def _above(step: Step, one: AttemptFacts) -> bool:
    return step.attempt is not None and step.attempt > one.number


def _deletes(run: RunFacts, grace_s: float) -> Iterator[Step]:
    for one in run.attempts:
        since = {"tombstoned": one.taken, "published": one.retired, "open": None}[one.slot]
        if since is not None and one.files and not one.held:
            how = "retired" if one.slot == "published" else "tombstoned"
            yield Step("delete", one.number, since + grace_s, f"{how} for the grace period", one.files)
    for stray in run.strays:
        if stray.files:
            since = max(file.modified for file in stray.files)
            yield Step("delete", None, since + grace_s, f"no claim names {stray.folder}", stray.files)


def forgets(log: Entry, *, gone: bool, keep_s: float, grace_s: float) -> Step:
    """When an event log goes: ``keep_s`` after it was put; sooner when its run is ``gone``, which has no records."""
    moments = [(log.modified + keep_s, "an event log, kept as long as event logs are")]
    if gone:
        moments.append((log.modified + grace_s, "an event log of a run that has no records"))
    due, why = min(moments)
    return Step("forget", None, due, why, (log,))


def unfinished(uploads: Iterable[Upload], grace_s: float) -> tuple[Step, ...]:
    """A step for each folder with files that nobody completed: who began them is dead, or closed by now."""
    by_folder: dict[str, list[Upload]] = {}
    for one in sorted(uploads, key=lambda upload: upload.path):
        by_folder.setdefault(one.path.rpartition("/")[0], []).append(one)
    return tuple(_abort(folder, mine, grace_s) for folder, mine in by_folder.items())


def _abort(folder: str, uploads: Sequence[Upload], grace_s: float) -> Step:
    due = max(one.begun for one in uploads) + grace_s
    return Step("abort", None, due, f"begun, and never completed, in {folder}", uploads=tuple(uploads))

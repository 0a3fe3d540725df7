"""The publish protocol of one run key: claim a number, write privately, publish by one put-if-absent, read the newest.

    _log/0001.claim        who may write attempt 1
    _log/0001.published    the manifest of attempt 1, or a tombstone in its place
    _log/0001.retired      attempt 1, and every lower one, is no longer read

No clock, lock or rename decides anything. Why this is enough is argued in this folder's README.
"""

import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from framework.errors import ConfigError, InputChanged, InputCorrupt, Superseded
from framework.identity import Epoch, RunKey
from framework.manifest import Claim, Manifest, Retired, Tombstone, manifest_bytes, parse_record, record_bytes
from framework.storage.attempts import Attempt, Published, check_files, list_attempt, parse_published, paths_below
from framework.storage.base import LOG_FOLDER, Store
from framework.storage.paths import run_path
from framework.storage.slots import decide

__all__ = ["Attempt", "AttemptState", "LogState", "Published", "RunLog", "Seen", "check_files", "list_attempt"]

# How long a reader that was told "at least attempt n" waits for a listing to catch up, and how often it looks.
AT_LEAST_WAIT_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.1

_SLOT: Final = re.compile(r"(\d{4,})\.(published|retired)")

Seen = frozenset[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class AttemptState:
    """Everything the log says of one attempt."""

    number: int
    claim: Claim
    published: Published | None
    tombstoned: bool
    retired: bool


@dataclass(frozen=True, slots=True)
class LogState:
    """A run's history, oldest attempt first."""

    attempts: tuple[AttemptState, ...]

    @property
    def newest(self) -> Published | None:
        live = [one.published for one in self.attempts if one.published and not one.retired]
        return live[-1] if live else None


@dataclass(frozen=True, slots=True)
class _Slots:
    """The numbers in one listing, ascending; ``retired``: that number and every lower one is out of readers' sight."""

    published: tuple[int, ...]
    retired: int

    def newest_first(self) -> Iterator[int]:
        return (number for number in reversed(self.published) if number > self.retired)


class RunLog:
    """The log of one run key in one store. Any number of processes may have one."""

    def __init__(self, store: Store, key: RunKey, *, pause: Callable[[float], None] = time.sleep) -> None:
        """``pause`` waits that many seconds. Raises: PathError."""
        self._store = store
        self._key = key
        self._pause = pause
        self._folder = f"{run_path(key)}/{LOG_FOLDER}"

    def seen(self) -> Seen:
        """The claims there are now: taken when a run is planned, handed to ``claim`` when it writes."""
        return frozenset((number, claim.token) for number, claim in self._claims())

    def claim(self, epoch: Epoch, *, clear_number: int, who: str, seen: Seen | None) -> Attempt:
        """Take the next number, after looking at every claim below it, by name.

        ``seen=None`` is for laptops, where the incarnations of two calls have no order.

        Raises: Superseded when a newer try of this incarnation has claimed, or another incarnation did after I
        planned; StoreUnavailable.
        """
        mine = Claim(token=secrets.token_hex(16), key=self._key, epoch=epoch, clear_number=clear_number, who=who)
        number = 0
        for number, found in self._claims():
            self._give_way(number, found, epoch=epoch, seen=seen)
        while True:
            number += 1
            found = self._as_claim(number, self._decide(self._slot(number, "claim"), record_bytes(mine)))
            if found.token == mine.token:
                return Attempt(self._key, number, mine)
            self._give_way(number, found, epoch=epoch, seen=seen)

    def publish(self, attempt: Attempt, manifest: Manifest) -> Published:
        """Make the attempt visible, all outputs at once. Again with the same attempt: the same answer.

        Raises: Superseded when the attempt was tombstoned; StoreUnavailable when a file is not what the manifest
        says, or the outcome is unknown (``resume`` tells the next try); ConfigError for another attempt's manifest.
        """
        _require_own(attempt, manifest)
        self._store.settle(_files(attempt, manifest))
        data = manifest_bytes(manifest)
        found = self._decide(self._slot(attempt.number, "published"), data)
        # What stands there byte for byte as it was put needs no reading: it is this record, with this digest.
        published = Published.of(manifest, data) if found == data else parse_published(found, self._key, attempt.number)
        if published is None or published.manifest.token != attempt.token:
            raise Superseded(
                "this attempt was closed before it could be published",
                where=f"{self._key} attempt {attempt.number}",
                next_step="nothing: its data will be removed; a retry makes a new attempt",
            )
        return published

    def newest(self, *, at_least: int | None = None) -> Published | None:
        """The highest published attempt that is not retired; None when there is none.

        ``at_least`` is a hint, perhaps forged: that number was published. It is opened by name and waited for up to
        ``AT_LEAST_WAIT_S``, because listings lag; never is it the answer when the listing knows a higher one.

        Raises: StoreUnavailable, InputCorrupt.
        """
        waited = 0.0
        while True:
            slots = self._slots()
            found = self._highest(slots)
            if at_least is None or slots.retired >= at_least or (found and found.number >= at_least):
                return found
            if self._is_retired(at_least):
                return None  # and so is every lower one, whatever a late listing shows
            data = self._read(at_least, "published")
            if data is not None:
                return parse_published(data, self._key, at_least) or found
            if waited >= AT_LEAST_WAIT_S:
                return found
            self._pause(_LOOK_EVERY_S)
            waited += _LOOK_EVERY_S

    def published(self, number: int) -> Published | None:
        """Attempt ``number``, by name, retired or not; None when it is not published or tombstoned."""
        data = self._read(number, "published")
        return None if data is None else parse_published(data, self._key, number)

    def resume(self, epoch: Epoch, *, clear_number: int, who: str) -> Published | None:
        """What this incarnation has already published since the last clear, made final; None: there is work to do.

        When an older try published it, a claim of mine goes on top and what is still open below is closed: else a
        try that the server has replaced could publish over what the newest try reports.

        Raises: Superseded when a newer try, or another incarnation, has claimed since; StoreUnavailable.
        """
        found = self.finished(epoch, clear_number)
        if found is None or found.manifest.epoch == epoch:
            return found
        seen = frozenset((number, claim.token) for number, claim in self._claims() if number <= found.number)
        fence = self.claim(epoch, clear_number=clear_number, who=who, seen=seen)
        for number in range(found.number + 1, fence.number):
            if not self.tombstone(number, who=who):
                found = self.published(number) or found
        self.tombstone(fence.number, who=who)
        return found

    def finished(self, epoch: Epoch, clear_number: int) -> Published | None:
        """The highest attempt that this incarnation has published since the last clear: a look, by name."""
        mine = (epoch.incarnation, clear_number)
        for number, claim in reversed(tuple(self._claims())):
            if (claim.epoch.incarnation, claim.clear_number) == mine and not self._is_retired(number):
                found = self.published(number)
                if found is not None:
                    return found
        return None

    def ensure_live(self, published: Published) -> None:
        """For a reader that met a missing file, or wants to know before it reads.

        Raises: InputChanged, naming the newer attempt, when ``published`` was retired.
        """
        slots = self._slots()
        if slots.retired >= published.number or self._is_retired(published.number):
            newer = self._highest(slots)
            raise InputChanged(
                "an input was retired after it was chosen",
                where=f"{self._key} attempt {published.number}",
                got=f"attempt {newer.number} is the newest" if newer else "nothing newer is published",
                next_step="run again: a new plan takes the newest attempt",
            )

    def tombstone(self, number: int, *, who: str) -> bool:
        """Close a claimed attempt that has not published; whether it is closed now. False: it was published first."""
        self._require_claimed(number)
        mine = record_bytes(Tombstone(token=secrets.token_hex(16), who=who))
        return parse_published(self._decide(self._slot(number, "published"), mine), self._key, number) is None

    def retire(self, number: int, *, who: str) -> None:
        """Take a published attempt, and every lower one, out of readers' sight, for ever.

        Lower ones that have not published are closed first: else retiring the newest would show an older one.

        Raises: ConfigError when ``number`` is not published.
        """
        if self.published(number) is None:
            raise ConfigError(
                "only a published attempt can be retired",
                where=f"{self._key} attempt {number}",
                next_step="close an unpublished one with tombstone()",
            )
        for lower in range(1, number):
            self.tombstone(lower, who=who)
        mine = record_bytes(Retired(token=secrets.token_hex(16), who=who))
        self._decide(self._slot(number, "retired"), mine)

    def state(self) -> LogState:
        """The whole history: one listing, and one read for each control file."""
        retired = self._slots().retired
        return LogState(tuple(self._state_of(number, claim, retired) for number, claim in self._claims()))

    def _state_of(self, number: int, claim: Claim, retired: int) -> AttemptState:
        data = self._read(number, "published")
        published = None if data is None else parse_published(data, self._key, number)
        tombstoned = data is not None and published is None
        return AttemptState(number, claim, published, tombstoned=tombstoned, retired=number <= retired)

    def _slots(self) -> _Slots:
        found: dict[str, list[int]] = {"published": [], "retired": [0]}
        for entry in self._store.list(self._folder):
            match = _SLOT.fullmatch(entry.path[len(self._folder) + 1 :])
            if match:
                found[match[2]].append(int(match[1]))
        return _Slots(tuple(sorted(found["published"])), max(found["retired"]))

    def _highest(self, slots: _Slots) -> Published | None:
        for number in slots.newest_first():
            found = self.published(number)
            if found is not None:
                return found
        return None

    def _claims(self) -> Iterator[tuple[int, Claim]]:
        """Every claim, by name: numbers have no gap, so the first absent one ends them, whatever a listing shows."""
        for number in count(1):
            data = self._read(number, "claim")
            if data is None:
                return
            yield number, self._as_claim(number, data)

    def _give_way(self, number: int, found: Claim, *, epoch: Epoch, seen: Seen | None) -> None:
        reason = why_stop(found, number, epoch=epoch, seen=seen)
        if reason:
            raise Superseded(
                reason,
                where=f"{self._key} attempt {number}",
                got=f"claimed by {found.who}, {_told(found.epoch)}",
                expected=f"no claim that this try, {_told(epoch)}, must give way to",
                next_step="nothing: the other try does the work; a retry plans again",
            )

    def _as_claim(self, number: int, data: bytes) -> Claim:
        where = self._slot(number, "claim")
        record = parse_record(data, where=where)
        if not isinstance(record, Claim):
            raise InputCorrupt("a claim's slot holds another kind of record", where=where, got=record.kind)
        return record

    def _decide(self, path: str, data: bytes) -> bytes:
        return decide(self._store, path, data, pause=self._pause)

    def _require_claimed(self, number: int) -> None:
        if number < 1 or self._read(number, "claim") is None:
            raise ConfigError("no such attempt", where=f"{self._key} attempt {number}")

    def _is_retired(self, number: int) -> bool:
        return self._read(number, "retired") is not None

    def _read(self, number: int, kind: str) -> bytes | None:
        return self._store.read(self._slot(number, kind))

    def _slot(self, number: int, kind: str) -> str:
        return f"{self._folder}/{number:04d}.{kind}"


def why_stop(found: Claim, number: int, *, epoch: Epoch, seen: Seen | None) -> str | None:
    """Why a try of ``epoch`` that meets ``found`` below its own number must not write; None when it may."""
    if found.epoch.newer_than(epoch):
        return "a newer try of this run has claimed it"
    stranger = found.epoch.incarnation != epoch.incarnation
    if stranger and seen is not None and (number, found.token) not in seen:
        return "another incarnation of this run has claimed it since this one was planned"
    return None


def _require_own(attempt: Attempt, manifest: Manifest) -> None:
    claim = attempt.claim
    mine = (attempt.key, attempt.number, claim.token, claim.epoch, claim.clear_number)
    theirs = (manifest.key, manifest.attempt, manifest.token, manifest.epoch, manifest.clear_number)
    if mine != theirs:
        raise ConfigError("a manifest of another attempt", where=str(attempt.key), got=theirs, expected=mine)


def _files(attempt: Attempt, manifest: Manifest) -> Iterator[tuple[str, int]]:
    for output in manifest.outputs:
        folder = attempt.output_dir(output.name, table=output.table)
        paths = paths_below(folder, output.name, output.files)
        yield from zip(paths, (file.bytes for file in output.files), strict=True)


def _told(epoch: Epoch) -> str:
    return f"try {epoch.try_number} launch {epoch.launch} of {epoch.incarnation[:8]}"

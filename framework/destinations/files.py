"""Delivering files to a directory or a bucket: immutable names, and a marker put last.

    <path>/<run>[/map-<n>]/a0001-<8 hex>/...          the files of attempt 1
    <path>/<run>[/map-<n>]/_teamspark.0001.json       put-if-absent once they are all there

Whoever reads takes the marker with the highest number, and exactly the files it names. No marker is ever replaced: an
attempt that comes late puts a lower one, which nobody takes.
"""

import json
import re
from typing import Any, Final

from pydantic import ValidationError

from framework.datafile import DataFile, readable
from framework.destinations.base import Delivery, Verdict
from framework.errors import ConfigError, InputCorrupt
from framework.identity import RunKey
from framework.records import Record
from framework.storage.base import Depot
from framework.storage.paths import run_path, task_path
from framework.storage.slots import decide

_MARKER: Final = re.compile(r"_teamspark\.(\d{4,})\.json")


class MarkedFile(Record):
    """``path`` is relative to the marker's folder."""

    path: str
    bytes: int


class Marker(Record):
    """What a reader at the destination needs: which attempt, whose, its columns, its files."""

    version: int = 1
    key: RunKey
    attempt: int
    token: str
    digest: str
    output: str
    columns: Any
    rows: int
    files: tuple[MarkedFile, ...]

    @classmethod
    def of(cls, delivery: Delivery) -> "Marker":
        published = delivery.published
        sizes = (file.bytes for file in published.files(delivery.output))
        home = published.directory.rpartition("/")[2]
        return cls(
            key=delivery.key,
            attempt=published.number,
            token=published.manifest.token,
            digest=published.digest,
            output=delivery.output,
            columns=published.output(delivery.output).schema_,
            rows=delivery.rows,
            files=tuple(
                MarkedFile(path=f"{home}/{name}", bytes=size) for name, size in zip(delivery.names, sizes, strict=True)
            ),
        )

    def to_bytes(self) -> bytes:
        return (json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1) + "\n").encode()


def folder_of(key: RunKey) -> str:
    """Where a run's deliveries lie below a destination: ``/<run>``, and ``/map-<n>``. Raises: PathError."""
    return run_path(key).removeprefix(task_path(key.task))


def deliver_files(depot: Depot, delivery: Delivery) -> Verdict:
    """Raises: ConfigError when the place is another task's; StoreUnavailable, SetupError."""
    marker, folder = Marker.of(delivery), folder_of(delivery.key)
    standing = _standing(foremost(depot, folder), marker, depot.root)
    if standing is not None:
        return standing
    _copy(depot, folder, marker, delivery.files)
    path = f"{folder}/_teamspark.{marker.attempt:04d}.json"
    _standing(_parsed(decide(depot, path, marker.to_bytes()), path), marker, depot.root)
    return "overtaken" if _standing(foremost(depot, folder), marker, depot.root) == "overtaken" else "delivered"


def foremost(depot: Depot, folder: str) -> Marker | None:
    """The marker that readers take; None where nothing whole was delivered. Raises: InputCorrupt, StoreUnavailable."""
    names = (entry.path[len(folder) + 1 :] for entry in depot.list(folder))
    numbers = [int(found[1]) for name in names if (found := _MARKER.fullmatch(name))]
    if not numbers:
        return None
    path = f"{folder}/_teamspark.{max(numbers):04d}.json"
    data = depot.read(path)
    return None if data is None else _parsed(data, path)


def _standing(found: Marker | None, mine: Marker, root: str) -> Verdict | None:
    """What ``found`` at the destination means for ``mine``; None: it has to be delivered."""
    if found is None:
        return None
    if found.key != mine.key or found.output != mine.output:
        raise ConfigError(
            "this destination holds deliveries of another task",
            where=root,
            got=f"{found.key} output '{found.output}'",
            expected=f"{mine.key} output '{mine.output}'",
            next_step="give each task a path of its own",
        )
    if found.attempt != mine.attempt:
        return "overtaken" if found.attempt > mine.attempt else None
    if (found.token, found.digest) != (mine.token, mine.digest):
        raise begun_anew(root, found.attempt)
    return "already there"


def begun_anew(place: str, number: int) -> ConfigError:
    """Two attempts of one number: the store forgot its history, or there are two stores."""
    return ConfigError(
        "the destination holds an attempt that this store does not know",
        where=place,
        got=f"another attempt {number}",
        next_step="if the team's store was emptied or moved, remove this run's folder, or its row, at the destination",
    )


def _copy(depot: Depot, folder: str, marker: Marker, files: tuple[DataFile, ...]) -> None:
    """Bring what is not there; names are never used twice, so what is there with its size is the same."""
    from framework.datafile import mapped

    there = {entry.path: entry.bytes for entry in depot.list(folder)}
    targets = {file.uri: (f"{folder}/{one.path}", one.bytes) for file, one in zip(files, marker.files, strict=True)}

    def bring(file: DataFile) -> None:
        path, size = targets[file.uri]
        if there.get(path) != size:
            depot.put_file(path, lambda: _opened(file))

    mapped(bring, files)
    depot.settle(targets.values())


def _opened(file: DataFile) -> Any:
    from pathlib import Path

    opened = readable(file)
    return opened.open("rb") if isinstance(opened, Path) else opened


def _parsed(data: bytes, path: str) -> Marker:
    try:
        return Marker.model_validate_json(data)
    except ValidationError as error:
        raise InputCorrupt(
            "not a delivery's marker",
            where=path,
            got=f"{error.error_count()} mistake(s)",
            next_step="somebody else wrote it: remove it, or choose another path",
        ) from None

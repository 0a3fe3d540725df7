"""A source's files for one run: found, permitted, fresh, and frozen."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from framework.connections import NONE, Connections
from framework.datafile import DataFile, mapped
from framework.errors import InputChanged, NotYet
from framework.job import Run
from framework.sources.queries import Query, frozen_query
from framework.sources.shelves import Directory, Shelf, SourceFile, bucket_shelf
from framework.sources.specs import QuerySpec, SourceSpec, find_source
from framework.storage.base import Access
from framework.tenancy.model import Teams
from framework.tenancy.places import BucketStore


@dataclass(frozen=True, slots=True)
class Listing:
    """The frozen files of one source."""

    source: str
    spec: SourceSpec
    files: tuple[SourceFile, ...]
    shelf: Shelf = field(repr=False, compare=False)

    @property
    def digest(self) -> str:
        """sha256 over names, sizes, times and versions: two runs with one digest read the same files."""
        lines = "".join(f"{f.place}\t{f.bytes}\t{f.modified_ns}\t{f.version or ''}\n" for f in self.files)
        return hashlib.sha256(lines.encode()).hexdigest()

    def data(self) -> tuple[DataFile, ...]:
        """The files for Spark and for pyarrow."""
        return tuple(map(self.shelf.data, self.files))

    def require_unchanged(self) -> None:
        """Raises: InputChanged naming the first file that is not as it was planned."""
        by_uri = {file.uri: file for file in self.files}
        now = mapped(lambda data: self.shelf.again(by_uri[data.uri]), self.data())
        for file, found in zip(self.files, now, strict=True):
            if found is None or not _same(file, found):
                raise InputChanged(
                    f"a file of source '{self.source}' changed or vanished while it was read",
                    where=file.place,
                    got="nothing" if found is None else _told(found),
                    expected=f"{_told(file)}, as when the run was planned",
                    next_step="the next try reads it as it is then; land files under new names",
                )


def _same(planned: SourceFile, found: SourceFile) -> bool:
    """Where the server marks the content, its mark decides: listings and single answers tell times unlike."""
    if planned.version is None:
        return planned == found
    return (planned.bytes, planned.version) == (found.bytes, found.version)


def _told(file: SourceFile) -> str:
    mark = f", version {file.version}" if file.version else ""
    return f"{file.bytes} bytes of {datetime.fromtimestamp(file.modified_ns / 1e9, UTC).isoformat()}{mark}"


def freeze(name: str, teams: Teams, run: Run, connections: Connections = NONE) -> Listing | Query:
    """The files of source ``name`` as they are now, for ``run``'s team; or its statement, with the run's dates.

    Raises: NotYet (nothing landed, or too old), PolicyError (not in the team's ``reads``), ConfigError.
    """
    spec = find_source(run.team, name)
    if isinstance(spec, QuerySpec):
        return frozen_query(name, spec, run, connections)
    return _listed(name, spec.landed(_landing(teams, run.team)), teams, run)


def _landing(teams: Teams, team: str) -> str | None:
    known = teams.by_name.get(team)  # a laptop's run may be nobody's
    return known.landing if known else None


def _listed(name: str, spec: SourceSpec, teams: Teams, run: Run) -> Listing:
    shelf, pattern = _shelf(spec, teams, run)
    if spec.bucket is not None and not teams.may_read(run.team, f"{pattern}/"):
        # A bucket is asked only where the answer may be known; a path can be a link, which is looked through first.
        teams.require_read(run.team, pattern)
    files = shelf.find()
    for file in files:
        teams.require_read(run.team, file.place)
    if not files and spec.bucket is None:
        asked = Path(pattern)
        teams.require_read(run.team, str(asked.parent.resolve() / asked.name))
    listing = Listing(name, spec, files, shelf)
    _require_fresh(listing, pattern, run)
    return listing


def _shelf(spec: SourceSpec, teams: Teams, run: Run) -> tuple[Shelf, str]:
    place = spec.place(run)
    if spec.bucket is not None:
        return bucket_shelf(place, _access(spec, teams, run.team)), place
    path = teams.workspace / place
    return Directory(path), str(path)


def _access(spec: SourceSpec, teams: Teams, team: str) -> Access:
    """Where the source's bucket is: where it says, else where the team's own bucket is, else AWS."""
    own = teams.team(team).store
    near = own if isinstance(own, BucketStore) and spec.endpoint is None else None
    return Access(
        "s3a",
        spec.bucket or "",
        spec.endpoint or (near.endpoint if near else None),
        spec.region or (near.region if near else None),
    )


def source_buckets(names: Iterable[str], teams: Teams, team: str) -> tuple[Access, ...]:
    """What Spark has to be told before it opens the buckets of the sources ``names`` of ``team``. Raises: ConfigError."""
    specs, landing = [find_source(team, name) for name in names], _landing(teams, team)
    files = [spec.landed(landing) for spec in specs if isinstance(spec, SourceSpec)]
    return tuple(dict.fromkeys(_access(spec, teams, team) for spec in files if spec.bucket is not None))


def _require_fresh(listing: Listing, pattern: str, run: Run) -> None:
    if not listing.files:
        raise NotYet(
            f"source '{listing.source}' has no file yet",
            where=pattern,
            next_step="land the files, or correct 'uri' in sources.yaml",
        )
    fresh = listing.spec.fresh
    newest = datetime.fromtimestamp(max(f.modified_ns for f in listing.files) / 1e9, UTC)
    if fresh is not None and newest < run.end - fresh:
        raise NotYet(
            f"source '{listing.source}' is stale",
            where=pattern,
            got=f"newest file of {newest.isoformat()}",
            expected=f"at most {fresh} before the end of the run, {run.end.isoformat()}",
        )

"""The way to a run's published inputs: through the team's cache, where it has them and delivers, else from the stores.

Records only. ``wayfinding`` decides when a run is planned, ``warming`` fills the cache. That a cache fails later is told by
``CacheUnavailable``, and ``past`` is then the way without it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from framework.cache.base import Cache, Held, Location, store_location
from framework.cache.none import NoCache
from framework.datafile import DataFile
from framework.edges import PinnedRun
from framework.errors import CacheUnavailable
from framework.spark.stores import Extra
from framework.storage.base import Store
from framework.tables.pinning import PinnedTable


class Heat(NamedTuple):
    """Bytes of a run's published inputs that its cache held when they began to be read, and all others."""

    hot: int = 0
    cold: int = 0


@dataclass(frozen=True, slots=True)
class Leg:
    """One pinned output behind a port, where it is read, and the files of it that the cache does not hold whole.

    ``columns``: which of its columns the port wants.
    """

    port: str
    read: PinnedRun
    store: Store
    location: Location
    columns: tuple[str, ...] = ()
    pin: bool = False
    cold: tuple[str, ...] = ()

    @property
    def folder(self) -> str:
        return self.read.published.output_dir(self.read.output)

    @property
    def paths(self) -> tuple[str, ...]:
        return self.read.published.paths(self.read.output)

    @property
    def bytes(self) -> int:
        return self.read.published.output(self.read.output).bytes

    def past(self, why: str | None = None) -> "Leg":
        return replace(self, location=store_location(self.store, self.folder, why), cold=())

    def held(self, cache: Cache) -> dict[str, Held]:
        """By path, what the cache holds of it. Raises: CacheUnavailable."""
        return {held.path: held for held in cache.status(self.store, self.folder)}


@dataclass(frozen=True, slots=True)
class TableLeg:
    """One pinned table behind a port. Of its many runs those files are read through the cache that it holds whole, ``hot``.

    Its log is read by nobody but ``framework.tables``, from the store.
    """

    port: str
    table: PinnedTable
    store: Store
    location: Location
    hot: frozenset[str] = frozenset()

    @property
    def sizes(self) -> dict[str, int]:
        """The logical paths of its files, and their bytes as the table's log has them."""
        return {f"{self.table.path}/{file.path}": file.bytes for file in self.table.files}

    @property
    def hot_bytes(self) -> int:
        return sum(size for path, size in self.sizes.items() if path in self.hot)

    @property
    def files(self) -> tuple[DataFile, ...]:
        """Its files where they are read. Its store opens them for everybody but Spark."""
        files = zip(self.sizes, self.table.data_files(self.store), strict=True)
        return tuple(replace(file, uri=self._at(path)) if path in self.hot else file for path, file in files)

    def _at(self, path: str) -> str:
        return self.location.uri + path.removeprefix(self.table.path)

    def past(self, why: str | None = None) -> "TableLeg":
        return replace(self, location=store_location(self.store, self.table.path, why), hot=frozenset())


@dataclass(frozen=True)
class Route:
    """Where a run reads each published output, and each table.

    ``remarks``: why not through the cache, where somebody expects that. ``failed``: it did not deliver.
    """

    cache: Cache = field(default_factory=NoCache)
    legs: tuple[Leg, ...] = ()
    tables: tuple[TableLeg, ...] = ()
    remarks: tuple[str, ...] = ()
    failed: bool = False

    @cached_property
    def _by_port(self) -> Mapping[tuple[str, str], Leg]:
        return {(leg.port, leg.folder): leg for leg in self.legs}

    def leg(self, port: str, read: PinnedRun) -> Leg:
        """Of one planned read. Raises: KeyError."""
        return self._by_port[port, read.published.output_dir(read.output)]

    @cached_property
    def _tables_by_port(self) -> Mapping[tuple[str, str], TableLeg]:
        return {(leg.port, leg.table.path): leg for leg in self.tables}

    def table(self, port: str, table: PinnedTable) -> TableLeg:
        """Of one pinned table. Raises: KeyError."""
        return self._tables_by_port[port, table.path]

    @property
    def through(self) -> tuple[Leg, ...]:
        """The outputs that are read through the cache."""
        return tuple(leg for leg in self.legs if leg.location.cached)

    @property
    def needs(self) -> Extra:
        """What the session needs for it."""
        used = [leg.location for leg in self.through] + [leg.location for leg in self.tables if leg.hot]
        return used[0].needs if used else Extra()

    def past(self, why: str) -> "Route":
        """The same inputs, all of them from the stores, since the cache has failed."""
        legs, tables = tuple(leg.past() for leg in self.legs), tuple(leg.past() for leg in self.tables)
        return replace(self, legs=legs, tables=tables, remarks=(*self.remarks, why), failed=True)

    def heat(self) -> Heat:
        """As the cache says it now."""
        total = sum(leg.bytes for leg in self.legs) + sum(leg.table.bytes for leg in self.tables)
        hot = sum(leg.hot_bytes for leg in self.tables)
        for leg in self.through:
            if not leg.cold:
                hot += leg.bytes
                continue
            try:
                hot += sum(held.hot for held in leg.held(self.cache).values())
            except CacheUnavailable:
                return Heat(0, total)  # whoever reads will find out
        return Heat(hot, total - hot)

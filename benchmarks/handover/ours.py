"""Both steps of ``framework.container`` between two tasks of other images: what the first left is published, and staged for the
second. What is done before the first starts (its own ``prepare``) and after the second has read is none of the hand-off.
"""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from benchmarks.handover.contracts import First, Second
from benchmarks.handover.order import Clock, Handing, Order
from benchmarks.handover.reading import rows_of
from framework.config import ContainerFacts, DataMode, EdgeRef, ExportedConfig
from framework.container.layout import Layout
from framework.container.steps import Around
from framework.container.told import InputTold, Told
from framework.identity import Epoch, RunKey
from framework.job import Job, contract_of
from framework.laptop import LaptopRun, laptop_config
from framework.plan import PlanRequest
from framework.storage.base import Depot
from framework.storage.posix import DirectoryStore
from framework.storage.s3 import S3Store
from framework.tenancy.model import Team, Teams
from framework.tenancy.places import DirectoryStore as Place
from framework.world import World

_IMAGE: Final = "registry.example.org/bench/numbers:1"
_AT_ONCE: Final = 10
_PIECE: Final = 8 << 20


def copied(order: Order, undo: ExitStack) -> Handing:
    """``data="copy"`` through a bucket."""
    return _between(order, "copy", S3Store(order.place))


def moved(order: Order, undo: ExitStack) -> Handing:
    """``data="volume"``: program and store share a file system."""
    return _between(order, "volume", DirectoryStore(order.root / "store"))


def named(order: Order, undo: ExitStack) -> Handing:
    """``data="uri"``: both programs open the bucket by themselves, with pyarrow. To send its files is the first one's part."""
    from pyarrow import fs

    host = order.endpoint.removeprefix("http://")
    return _between(
        order, "uri", S3Store(order.place), fs.S3FileSystem(endpoint_override=host, scheme="http", region=order.region)
    )


def _between(order: Order, data: DataMode, store: Depot, programs: Any = None) -> Handing:
    """``programs``: by what they open URIs."""
    first = _around(order, First, data, store)
    first.prepare()
    return _Between(order, first, _around(order, Second, data, store), programs)


@dataclass(frozen=True)
class _Between:
    order: Order
    first: Around
    second: Around
    programs: Any

    def __call__(self, clock: Clock) -> int:
        if self.programs is not None:
            with clock.part("send"):
                self._send(Path(_told(self.first).outputs["default"].uri or ""))
        with clock.part("publish"):
            self.first.publish()
        with clock.part("prepare"):
            self.second.prepare()
        with clock.part("read"):
            return rows_of(list(_names(_told(self.second).inputs["numbers"])), self.programs)

    def _send(self, uri: Path) -> None:
        """As a program does that writes through pyarrow: a stream for each file, which sends its parts in the background."""
        below = _key(str(uri))

        def one(path: Path) -> None:
            with path.open("rb") as source, self.programs.open_output_stream(f"{below}/{path.name}") as target:
                shutil.copyfileobj(source, target, _PIECE)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(one, sorted(self.order.left.iterdir())))


def _told(around: Around) -> Told:
    return Told.parse_json(around.layout.config.read_bytes(), where=str(around.layout.config))


def _names(told: InputTold) -> Iterator[str]:
    if told.path is None:
        return map(_key, told.uris)
    return (f"{told.path}/{name}" for name in told.files)


def _key(uri: str) -> str:
    """Bucket and key, as pyarrow's file systems want them."""
    return uri.partition(":")[2].lstrip("/")


def _around(order: Order, job: type[Job], data: DataMode, store: Depot) -> Around:
    team = Team(team="bench", owners=("bench@example.org",), store=Place(kind="directory", root="store"))
    world = World(Teams(order.root, {"bench": team}), lambda _: store)
    task = job.__name__.lower()
    layout = Layout(order.root / task, order.root / f"{task}-state")
    return Around(PlanRequest(_config(order, task, data), contract_of(job)), world, layout, data, "benchmark")


def key(task: str) -> RunKey:
    return RunKey("bench", "bench.handover", task, "20130101T000000Z")


EDGE: Final = {"numbers": (EdgeRef(team="bench", dag_id="bench.handover", task_id="first", same_dag=True),)}
"""The second task reads the first."""


def _config(order: Order, task: str, data: DataMode) -> ExportedConfig:
    plain = laptop_config(LaptopRun(_IMAGE, date(2013, 1, 1), datetime(2013, 1, 2, tzinfo=UTC)), order.root)
    more = {"key": key(task), "epoch": Epoch("1" * 16, 1, 1), "inputs": EDGE if task == "second" else {}}
    return plain.model_copy(update={**more, "container": ContainerFacts(image=_IMAGE, data=data)})

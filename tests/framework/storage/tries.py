"""A try, as the runner makes one but with bytes for data: what the protocol's tests start, pause, kill and race."""

from contextlib import suppress
from dataclasses import dataclass

from framework.errors import StoreUnavailable
from framework.identity import Epoch, RunKey
from framework.manifest import FileEntry, Manifest, OutputEntry
from framework.storage.base import SlotTaken, Store
from framework.storage.publish import Attempt, Published, RunLog, Seen

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
OUTPUTS = ("default", "rejects")


@dataclass(frozen=True)
class Try:
    """Which try of ``KEY`` this is, and what it computes."""

    epoch: Epoch
    clear_number: int = 0
    content: bytes = b"rows"

    @classmethod
    def of(cls, number: int, launch: int = 1, *, incarnation: str = "one") -> "Try":
        return cls(Epoch(incarnation, number, launch), content=f"{incarnation} {number}.{launch}".encode())


def quick_log(store: Store, key: RunKey = KEY) -> RunLog:
    """A log that never sleeps: whoever waits is decided by the test, not by the clock."""
    return RunLog(store, key, pause=lambda _: None)


def put(store: Store, path: str, data: bytes) -> bool:
    """As the protocol puts: the slot tells who won, not the reply."""
    for _ in range(4):
        with suppress(SlotTaken, StoreUnavailable):
            store.put_if_absent(path, data)
        found = store.read(path)
        if found is not None:
            return found == data
    raise AssertionError(path)


def write(store: Store, attempt: Attempt, content: bytes) -> None:
    """One part of each output, through the store: two more steps that can be paused at."""
    for name in OUTPUTS:
        put(store, f"{attempt.output_dir(name)}/part-0", name.encode() + b" " + content)


def manifest_of(attempt: Attempt, content: bytes) -> Manifest:
    outputs = []
    for name in OUTPUTS:
        size = len(name) + 1 + len(content)
        file = FileEntry(path=f"{name}/part-0", bytes=size, rows=1)
        outputs.append(OutputEntry(name=name, schema_={}, rows=1, bytes=size, files=(file,)))
    claim = attempt.claim
    return Manifest(
        key=attempt.key,
        attempt=attempt.number,
        token=claim.token,
        epoch=claim.epoch,
        clear_number=claim.clear_number,
        job="jobs.flights.delays:Delays",
        contract="0",
        outputs=tuple(outputs),
    )


def run_try(store: Store, this: Try, *, key: RunKey = KEY) -> Published:
    """The whole of it: resume or plan, claim, write, publish. Raises: Superseded, StoreUnavailable."""
    log = quick_log(store, key)
    done = log.resume(this.epoch, clear_number=this.clear_number, who="a test")
    return done or write_and_publish(store, this, seen=log.seen(), key=key)


def write_and_publish(store: Store, this: Try, *, seen: Seen | None, key: RunKey = KEY) -> Published:
    log = quick_log(store, key)
    attempt = log.claim(this.epoch, clear_number=this.clear_number, who="a test", seen=seen)
    write(store, attempt, this.content)
    return log.publish(attempt, manifest_of(attempt, this.content))


def content_of(store: Store, published: Published) -> bytes:
    """What a reader gets. Raises: AssertionError when it is not whole."""
    found = set()
    for name in OUTPUTS:
        for path, file in zip(published.paths(name), published.files(name), strict=True):
            data = store.read(path)
            assert data is not None, f"torn: {path} is missing"
            assert len(data) == file.bytes, f"torn: {path} has {len(data)} bytes of {file.bytes}"
            found.add(data.removeprefix(name.encode() + b" "))
    assert len(found) == 1, f"torn: contents of several tries, {found}"
    return found.pop()


def claims(store: Store, key: RunKey = KEY) -> list[Epoch]:
    """The epochs in order of their numbers, read by name."""
    return [claim.epoch for _, claim in quick_log(store, key)._claims()]

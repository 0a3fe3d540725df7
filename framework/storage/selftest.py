"""Does this store decide between racing writers? Asked when a run starts, because some that say so do not.

The protocol rests on ``put_if_absent`` alone: on a store where two racers both win, two attempts would get one number
and a manifest could be replaced. Better no run than that one.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from threading import Barrier
from typing import Final

from framework.errors import SetupError, StoreUnavailable
from framework.storage.base import SlotTaken, Store

VERSION: Final = 1
_SERVER: Final = "s3"
_NAME: Final = "+selftest"
"""No id is encoded as this, so nobody takes it for a DAG's folder."""
RACERS: Final = 8
ROUNDS: Final = 16
AT_ONCE: Final = 4  # some servers take a second to settle a race


def folder_of(team: str) -> str:
    """Where a team's store is tried: below the team's own folder, since its identity may write nowhere else."""
    return f"/{team}/{_NAME}"


def require_tested(store: Store, team: str, today: date) -> None:
    """As ``self_test``; a server is asked once a day, and remembers itself that it has passed: a hundred requests cost seconds.

    Raises: as ``self_test``.
    """
    if store.kind != _SERVER:
        return self_test(store, team)
    passed = f"{folder_of(team)}/passed-{VERSION}-{today.isoformat()}"
    if store.stat(passed) is not None:
        return None
    self_test(store, team)
    former = [
        entry.path for entry in store.list(folder_of(team)) if entry.path.startswith(f"{folder_of(team)}/passed-")
    ]
    with suppress(SlotTaken, StoreUnavailable):
        store.put_if_absent(passed, b"of racing writers one wins\n")
        store.delete([path for path in former if path != passed])
    return None


def self_test(store: Store, team: str) -> None:
    """Race ``RACERS`` writers for each of ``ROUNDS`` slots of ``team``, then remove the slots.

    Raises: SetupError when a slot had more than one winner, or its bytes are not the winner's or changed later;
    StoreUnavailable.
    """
    slots = [f"{folder_of(team)}/{secrets.token_hex(8)}" for _ in range(ROUNDS)]
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda slot: _ask(store, slot), slots))
    finally:
        with suppress(StoreUnavailable, SetupError):  # what was found out matters more than what was left behind
            store.delete(slots)


def _ask(store: Store, slot: str) -> None:
    with ThreadPoolExecutor(RACERS) as pool:
        _race(store, slot, pool)
    _repeat(store, slot)


def _race(store: Store, slot: str, pool: ThreadPoolExecutor) -> None:
    if store.read(slot) is not None:
        raise _refusal(store, "a file that was never put can be read")
    start, unsure = Barrier(RACERS), list[StoreUnavailable]()

    def put(data: bytes) -> bytes | None:
        start.wait()
        try:
            store.put_if_absent(slot, data)
        except SlotTaken:
            return None
        except StoreUnavailable as error:  # S3 may tell racers so; the slot says who won
            unsure.append(error)
            return None
        return data

    racers = [f"racer {number} {secrets.token_hex(8)}".encode() for number in range(RACERS)]
    winners = [data for data in pool.map(put, racers) if data is not None]
    if len(winners) > 1:
        raise _refusal(store, f"{len(winners)} of {RACERS} racing writers were told that they won")
    found = store.read(slot)
    if found is None and unsure and not winners:
        raise unsure[0]
    if found not in (winners or racers):
        raise _refusal(store, "a slot does not hold what its winner put there")


def _repeat(store: Store, slot: str) -> None:
    """A writer whose reply was lost puts again: it must be refused, and nothing may change."""
    before = store.read(slot)
    for data in (before or b"", b"late"):
        try:
            store.put_if_absent(slot, data)
        except SlotTaken:
            continue
        raise _refusal(store, "a slot that was taken was given away again")
    if store.read(slot) != before:
        raise _refusal(store, "a slot changed after it was taken")


def _refusal(store: Store, got: str) -> SetupError:
    return SetupError(
        "the store does not keep put-if-absent, so it cannot decide between two runs",
        where=f"{store.kind} store {store.root}",
        got=got,
        expected="exactly one winner for each name, for ever",
        next_step="choose a store that does: a local or NFS 4.1 directory with hard links, or S3 with If-None-Match",
    )

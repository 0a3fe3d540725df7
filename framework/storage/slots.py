"""Taking a slot: put once, read back, and what stands there is the outcome."""

import time
from collections.abc import Callable
from typing import Final

from framework.errors import StoreUnavailable
from framework.storage.base import SlotTaken, Store

# Between tries at a slot whose outcome is unknown: together under a second, the store client has its own retries.
_BACKOFF_S: Final = (0.05, 0.2, 0.5)


def decide(store: Store, path: str, data: bytes, *, pause: Callable[[float], None] = time.sleep) -> bytes:
    """What stands under ``path`` after ``data`` was put there, or somebody else's bytes were before.

    A lost reply, a time-out and a refusal look alike to a writer; its own bytes under the name do not. ``pause`` waits
    that many seconds.

    Raises: StoreUnavailable when the store neither takes nor shows anything.
    """
    failure: Exception | None = None
    for wait in (*_BACKOFF_S, None):
        try:
            store.put_if_absent(path, data)
        except (SlotTaken, StoreUnavailable) as error:
            failure = error
        try:
            found = store.read(path)
        except StoreUnavailable as error:
            failure, found = error, None
        if found is not None:
            return found
        if wait is not None:
            pause(wait)
    raise StoreUnavailable(
        "the store neither took a control file nor has it",
        where=path,
        got=None if failure is None else str(failure),
        next_step="run again when the store answers; nothing is published that is not whole",
    ) from failure

"""Real protocol code, one store call at a time: each try is a thread that stands still before every call."""

from collections.abc import Callable, Iterable
from threading import Semaphore, Thread
from typing import Any

from framework.errors import TeamsparkError
from framework.storage.base import Entry, Store
from tests.contracts.faults import Wrapped


class Killed(BaseException):
    """Thrown into a try that is to die at its next call; no code of the project may catch it."""


class Gated(Wrapped):
    """A store whose every call waits for ``pause`` to return."""

    def __init__(self, inner: Store, pause: Callable[[str], None]) -> None:
        super().__init__(inner)
        self._pause = pause

    def put_if_absent(self, path: str, data: bytes) -> None:
        self._pause(f"put {path}")
        super().put_if_absent(path, data)

    def read(self, path: str) -> bytes | None:
        self._pause(f"read {path}")
        return super().read(path)

    def stat(self, path: str) -> Entry | None:
        self._pause(f"stat {path}")
        return super().stat(path)

    def list(self, prefix: str) -> tuple[Entry, ...]:
        self._pause(f"list {prefix}")
        return super().list(prefix)

    def folders(self, prefix: str) -> tuple[str, ...]:
        self._pause(f"folders {prefix}")
        return super().folders(prefix)

    def delete(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._pause(f"delete {path}")
            super().delete([path])

    def settle(self, files: Iterable[tuple[str, int]]) -> None:
        self._pause("settle")
        super().settle(files)


class Actor:
    """``work(store)`` in a thread of its own; it makes progress only inside ``step`` and ``run``.

    ``result`` or ``error`` once it is ``over``; ``calls`` are the store calls it has been let into.
    """

    def __init__(self, work: Callable[[Any], Any], store: Any, gated: Callable[..., Any] = Gated) -> None:
        """``gated(store, pause)`` wraps what ``work`` is given."""
        self.result: Any = None
        self.error: TeamsparkError | None = None
        self.over = False
        self.calls: list[str] = []
        self._next: str | None = None
        self._dying = False
        self._go, self._still = Semaphore(0), Semaphore(0)
        self._thread = Thread(target=self._main, args=(work, gated(store, self._wait)), daemon=True)
        self._thread.start()
        self._still.acquire()

    @property
    def next_call(self) -> str | None:
        """What it will do first when it is let go on."""
        return self._next

    def step(self) -> bool:
        """One store call, and on to the brink of the next; whether there is a next."""
        if not self.over:
            self._go.release()
            self._still.acquire()
        return not self.over

    def run(self) -> None:
        while self.step():
            pass

    def kill(self) -> None:
        """Dies where it stands: its next call is never made."""
        self._dying = True
        self.step()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _wait(self, call: str) -> None:
        if self._dying:
            raise Killed  # whoever is dead tidies nothing up
        self._next = call
        self._still.release()
        self._go.acquire()
        if self._dying:
            raise Killed
        self.calls.append(call)

    def _main(self, work: Callable[[Any], Any], store: Any) -> None:
        try:
            self.result = work(store)
        except TeamsparkError as error:
            self.error = error
        except Killed:
            pass
        finally:
            self.over, self._next = True, None
            self._still.release()

"""What the triggerer does for a deferred task: look now and then, and end the run if somebody ends the task.

The event carries nothing that decides: the resumed task looks for itself. The triggerer must run on the machine
of the launches, as the local launcher's state is a directory there.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from framework.launch.base import UNFINISHED
from framework.launch.local import LocalLauncher


class RunTrigger(BaseTrigger):
    """Fires when the launch ``name`` has ended or, when ``due`` is given, at that time (seconds since 1970)."""

    def __init__(self, *, state_dir: str, name: str, poll_s: float, due: float | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own
        self.state_dir = state_dir
        self.name = name
        self.poll_s = poll_s
        self.due = due

    def serialize(self) -> tuple[str, dict[str, Any]]:
        facts = {"state_dir": self.state_dir, "name": self.name, "poll_s": self.poll_s, "due": self.due}
        return f"{type(self).__module__}.{type(self).__qualname__}", facts

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.due is None:
            await self._ended()
        else:
            await asyncio.sleep(max(0.0, self.due - time.time()))
        yield TriggerEvent({"name": self.name})  # type: ignore[no-untyped-call]  # Airflow's own

    async def on_kill(self) -> None:
        """Somebody cleared the task or set its state: this launch ends, by its exact name.

        ``cleanup`` would be wrong for this: it also runs when the triggerer itself restarts.
        """
        launcher = LocalLauncher(Path(self.state_dir))
        await asyncio.to_thread(launcher.kill, self.name)
        await asyncio.to_thread(launcher.clear, self.name)

    async def _ended(self) -> None:
        launcher = LocalLauncher(Path(self.state_dir))
        while (await asyncio.to_thread(launcher.status, self.name)).phase in UNFINISHED:  # noqa: ASYNC110  files, no event
            await asyncio.sleep(self.poll_s)

"""What the triggerer does for a deferred task: look now and then, and end the run if somebody ends the task.

The event carries nothing that decides: the resumed task looks for itself. For the local launcher the triggerer must run on
the machine of the launches, whose state is a directory there; for pods it uses the team's connection, as the task does.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from framework.launch.base import UNFINISHED, Launcher
from framework.launch.local import LocalLauncher


class RunTrigger(BaseTrigger):
    """Fires when the launch ``name`` has ended or, when ``due`` is given, at that time (seconds since 1970).

    ``team``: whose pods it is among; None for a launch of this machine. ``pending_s``: when a pod that does not start has ended.
    """

    def __init__(
        self,
        *,
        state_dir: str,
        name: str,
        poll_s: float,
        due: float | None = None,
        team: str | None = None,
        pending_s: float = 600.0,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own
        self.state_dir = state_dir
        self.name = name
        self.poll_s = poll_s
        self.due = due
        self.team = team
        self.pending_s = pending_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        facts = {"state_dir": self.state_dir, "name": self.name, "poll_s": self.poll_s, "due": self.due}
        facts |= {} if self.team is None else {"team": self.team, "pending_s": self.pending_s}
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
        launcher = await self._launcher()
        await asyncio.to_thread(launcher.kill, self.name)
        await asyncio.to_thread(launcher.clear, self.name)

    async def _launcher(self) -> Launcher:
        if self.team is None:
            return LocalLauncher(Path(self.state_dir))
        from asgiref.sync import sync_to_async

        from airflow_bindings.launching import cluster_of
        from k8s.launch.launcher import Habits, KubernetesLauncher
        from k8s.launch.reading import Patience

        # Airflow answers for a connection in the triggerer's own thread only.
        cluster = await sync_to_async(cluster_of)(self.team)
        return KubernetesLauncher(cluster, self.team, habits=Habits(patience=Patience(self.pending_s)))

    async def _ended(self) -> None:
        launcher = await self._launcher()
        while (await asyncio.to_thread(launcher.status, self.name)).phase in UNFINISHED:  # noqa: ASYNC110  files, no event
            await asyncio.sleep(self.poll_s)

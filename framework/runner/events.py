"""The event log of a run's session, kept in the team's store when the session has ended, however the run ended.

A log that cannot be kept is a remark, never a failed run. Keeping it comes after publish and costs nothing before.
"""

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from framework.config import ExportedConfig, RunResult
from framework.errors import StoreUnavailable, clip
from framework.spark.eventlog import bounded, pack
from framework.spark.redaction import Redactor, known_secrets
from framework.spark.settings import SessionSettings
from framework.storage.events import log_name, put_log
from framework.storage.paths import run_path
from framework.world import World

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PREFIX: Final = "teamspark-events-"
Opened = Callable[[SessionSettings], AbstractContextManager["SparkSession"]]


@dataclass
class Recorder:
    """The event log of the one session of a run. ``tell``: a line for a person, at once."""

    config: ExportedConfig
    world: World
    tell: Callable[[str], None]
    remarks: list[str] = field(default_factory=list)

    @contextmanager
    def session(self, settings: SessionSettings, opened: Opened) -> Iterator["SparkSession"]:
        """The session that ``opened`` opens, logged unless a layer above the author's says otherwise."""
        with TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
            folder = Path(name)
            try:
                with opened(replace(settings, event_log=folder)) as spark, self._bounded(spark, folder):
                    yield spark
            except StoreUnavailable:
                raise  # the store that it would be kept in: asked once more, it would keep the run waiting
            except Exception:
                self._keep(folder)
                self._tell_remarks()
                raise
            self._keep(folder)

    def told_in(self, result: RunResult) -> RunResult:
        """``result`` with what is to be said of the log."""
        return result.model_copy(update={"warnings": (*result.warnings, *self.remarks)}) if self.remarks else result

    @contextmanager
    def _bounded(self, spark: "SparkSession", folder: Path) -> Iterator[None]:
        from framework.spark.session import stop_event_log

        def cut() -> None:
            stop_event_log(spark)
            self.remarks.append("Spark's event log was ended before the run: it has grown too large")

        with bounded(folder, cut):
            yield

    def _keep(self, folder: Path) -> None:
        key = self.config.key
        try:
            packed = pack(folder, Redactor(known_secrets(self.world.connections, os.environ)))
            if packed is None:
                return
            put_log(self.world.output_store(key.team), key, self.config.epoch, packed.data)
        except Exception as error:  # noqa: BLE001 whatever it is, the run's own outcome stands
            self.remarks.append(f"Spark's event log was not kept: {clip(str(error), 300)}")
            return
        if packed.cut:
            self.remarks.append("Spark's event log lacks its end")
        self.tell(f"Spark's event log is kept; look at it with: {command(self.config)}")

    def _tell_remarks(self) -> None:
        for remark in self.remarks:
            self.tell(remark)


def command(config: ExportedConfig) -> str:
    """What shows the log of this very launch."""
    return shlex.join(["teamspark", "spark-ui", run_path(config.key), "--log", log_name(config.epoch)])

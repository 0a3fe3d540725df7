"""What a person sees while a run works: the phase, and the tasks of Spark's stages. Nothing where nobody looks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from framework.cli.show import err

if TYPE_CHECKING:
    from framework.spark.session import StageProgress


class Bar:
    """One line on a terminal's stderr, gone when the run ends."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID = progress.add_task("start", total=None)

    def phase(self, name: str) -> None:
        """The run has come to ``name``."""
        self._progress.update(self._task, description=name)

    def stages(self, now: "StageProgress") -> None:
        """Called from a thread of the session's."""
        self._progress.update(self._task, completed=now.completed, total=now.total)

    def notice(self, text: str) -> None:
        """A line that stays."""
        self._progress.console.print(text)


@contextmanager
def bar() -> Iterator[Bar]:
    """A bar for the length of the block; silent, but for notices, where stderr is no terminal."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err(), transient=True, disable=not sys.stderr.isatty()) as progress:
        yield Bar(progress)

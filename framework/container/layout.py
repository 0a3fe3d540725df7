"""Where things are for a program and for the two steps around it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONFIG_VARIABLE: Final = "TEAMSPARK_CONFIG"
ROOM_VARIABLE: Final = "TEAMSPARK_DISK_BYTES"
"""How much a step of ours may write to its disk, in the environment of a pod's."""

DONE: Final = 77
"""The exit code of ``prepare`` where there is nothing left for the program to do."""


@dataclass(frozen=True, slots=True)
class Layout:
    """``root``: what the program sees. ``state``: what it does not see. ``out``: where the two steps find what the program has as
    ``root/out``, where that is mounted from elsewhere.
    """

    root: Path
    state: Path
    out: Path | None = None

    @property
    def config(self) -> Path:
        return self.root / "config.json"

    @property
    def outputs(self) -> Path:
        return self.out or self.root / "out"

    @property
    def remembered(self) -> Path:
        return self.state / "prepared.json"

    def input(self, port: str) -> Path:
        return self.root / "in" / port

    def output(self, name: str) -> Path:
        """As the program knows it."""
        return self.root / "out" / name

    def variables(self, inputs: Iterable[str], outputs: Iterable[str]) -> Mapping[str, str]:
        """What the program finds in its environment: the path of its configuration, and for tools that read no JSON the folder of
        each input and output.
        """
        folders = {f"TEAMSPARK_INPUT_{name.upper()}": self.input(name) for name in inputs}
        folders |= {f"TEAMSPARK_OUTPUT_{name.upper()}": self.output(name) for name in outputs}
        return {CONFIG_VARIABLE: str(self.config), **{name: str(path) for name, path in folders.items()}}


POD: Final = Layout(Path("/teamspark"), Path("/teamspark-state"))
"""In each container of a pod."""

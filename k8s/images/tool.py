"""The image of a tool: a program of a team's own, over Debian or over nothing, for tasks that run another image."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from posixpath import normpath
from typing import Final

from framework.errors import ConfigError
from framework.identity import check_team
from k8s.images.debian import USER
from k8s.images.kept import Part, ensure_part, images_home, locked
from k8s.images.oci import Settings
from k8s.images.parts import Builder
from k8s.images.spark import Image, Place, written
from k8s.images.trees import content_digest, copied, no_links, readable

_NAME: Final = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HEAD_BYTES: Final = 8192
_LOADER: Final = re.compile(rb"/[\w./-]*/ld[\w.-]*\.so[.\d]*")
_JOBS: Final = "jobs"  # what the image of a team's jobs is called
FOLDER: Final = "/opt/tool"
"""Where a tool's own files are in its image."""


@dataclass(frozen=True, slots=True)
class Tool:
    """``team`` and ``name`` are its image's; ``parts``: its layers, the lowest first; ``entrypoint``: what runs, as words."""

    team: str
    name: str
    parts: tuple[Part, ...]
    entrypoint: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


def build_tool(builder: Builder, tool: Tool) -> Image:
    """``PREFIX/TEAM/NAME:TAG``, where images are kept, run as a user that is not root; what is there is not made again.

    Raises: ConfigError, SetupError.
    """
    check_team(tool.team)
    if not _NAME.fullmatch(tool.name) or tool.name == _JOBS or not tool.entrypoint:
        raise ConfigError(
            "an image of a tool has a name, and something that runs", where=tool.team,
            got=f"{tool.name}, {' '.join(tool.entrypoint) or 'nothing'}",
            expected=f"small letters, digits and dashes, a letter first, not {_JOBS}; and the words of a command",
        )  # fmt: skip
    home = images_home(builder.environ)
    settings = Settings(tool.env, f"{USER}:{USER}", "/", tool.entrypoint)
    with locked(home):
        kept = [ensure_part(home, part, builder.notice) for part in tool.parts]
        return written(Place(home, f"{builder.prefix}/{tool.team}/{tool.name}"), kept, settings)


def require_runnable(words: Sequence[str], folder: Path, *, bare: bool) -> None:
    """That what runs is in the image, as far as ``folder`` says. Raises: ConfigError with every mistake."""
    wrong = list(_unrunnable(words, folder, bare=bare))
    if wrong:
        raise ConfigError("this entry point would not run", where=" ".join(words), details=wrong)


def _unrunnable(words: Sequence[str], folder: Path, *, bare: bool) -> Iterator[str]:
    inside = {word: normpath(word) for word in words}
    own = {
        word: folder / path.removeprefix(f"{FOLDER}/") for word, path in inside.items() if path.startswith(f"{FOLDER}/")
    }
    for word, path in own.items():
        if not path.is_file():
            yield f"{word}: there is no {path}"
        elif any(map(_is_left_out, path.relative_to(folder).parts)):
            yield f"{word}: names that begin with a dot are not taken into an image"
    for first in words[:1]:
        if first in own and own[first].is_file() and not own[first].stat().st_mode & 0o111:
            yield f"{first}: may not be run; chmod +x {own[first]}, or name its interpreter first"
        if "/" in first and not first.startswith("/"):
            yield f"{first}: it starts in /; say where it is: {FOLDER}/..."
        if bare and first not in own:
            yield f"{first}: a bare image has nothing but {FOLDER}"
        if bare and first in own and own[first].is_file() and (needed := _needed(own[first])):
            yield f"{first}: needs {needed}, and a bare image has nothing but {FOLDER}; link it statically, or leave --bare out"


def _needed(program: Path) -> str | None:
    """What of the system ``program`` is started by: a script's interpreter, a loader of shared libraries."""
    with program.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(b"#!"):
        return head[2:].partition(b"\n")[0].decode(errors="replace").strip()
    found = _LOADER.search(head) if head.startswith(b"\x7fELF") else None
    return found[0].decode() if found else None


def left_out(folder: Path) -> tuple[str, ...]:
    """Paths below ``folder`` that are not taken into an image; of a folder its own only."""
    found = (path.relative_to(folder) for path in folder.rglob("*") if _is_left_out(path.name))
    return tuple(sorted(path.as_posix() for path in found if not any(map(_is_left_out, path.parts[:-1]))))


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name == "__pycache__"


def folder_part(name: str, folder: Path, *files: str) -> Part:
    """What is below ``folder`` but ``left_out``, or those ``files`` of it, as ``FOLDER`` in the image.

    Raises: ConfigError for one that is empty, and for a link.
    """
    paths = tuple(no_links(folder / one for one in files) if files else no_links(_below(folder)))
    if not paths:
        raise ConfigError("a tool needs files", where=folder, got="nothing below it")
    runnable = (path.relative_to(folder).as_posix() for path in paths if path.stat().st_mode & 0o111)
    return Part(name, FOLDER, (content_digest(folder, paths), *runnable, "2"), partial(_copy, folder, paths))


def _below(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.rglob("*")
        if (path.is_file() or path.is_symlink()) and not any(map(_is_left_out, path.relative_to(folder).parts))
    )


def _copy(folder: Path, paths: tuple[Path, ...], tree: Path) -> None:
    copied(folder, tree, paths)
    readable(tree)

"""How a folder is mounted, and whether a network file system is mounted as the protocol needs it. Pure, but for one read.

Readers look names up that were absent a moment ago, and list folders that others write to: a client that remembers
absences, or listings for long, makes them wait; one that gives up (``soft``) loses writes.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

MOUNTINFO: Final = Path("/proc/self/mountinfo")
NETWORK: Final = frozenset({"nfs", "nfs4"})
DEMANDED: Final = "nfsvers=4.1,hard,lookupcache=positive,acdirmin=0,acdirmax=1"
_ESCAPE: Final = re.compile(r"\\([0-7]{3})")
_VERSIONS: Final = ("4.1", "4.2")
_LISTING_S: Final = 1


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of the kernel's table. ``options``: what is set, with its value or an empty text."""

    point: str
    kind: str
    source: str
    options: Mapping[str, str]


def parse_mounts(text: str) -> tuple[Mount, ...]:
    """The mounts of a text in the form of ``/proc/self/mountinfo``, in its order; lines of another form are left out."""
    return tuple(mount for line in text.splitlines() if (mount := _parse(line)))


def _parse(line: str) -> Mount | None:
    # 36 35 98:0 /root /point rw,noatime master:1 - ext3 /dev/source rw,errors=continue: optional fields end with "-"
    before, dash, after = line.partition(" - ")
    here, there = before.split(" "), after.split(" ")
    if not dash or len(here) < 6 or len(there) < 3:
        return None
    options = {name: value for text in (here[5], there[2]) for name, value in _options(text)}
    return Mount(_plain(here[4]), there[0], _plain(there[1]), MappingProxyType(options))


def _options(text: str) -> Iterator[tuple[str, str]]:
    for option in text.split(","):
        name, _, value = option.partition("=")
        yield name, value


def _plain(text: str) -> str:
    """Blanks and backslashes are written as octal numbers."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), text)


def mount_of(path: Path, mounts: Iterable[Mount]) -> Mount | None:
    """The mount that ``path``, absolute and resolved, is on: of those above it the nearest, of these the last one made."""
    above = [mount for mount in mounts if path.is_relative_to(mount.point)]
    nearest = max((len(Path(mount.point).parts) for mount in above), default=0)
    return next((mount for mount in reversed(above) if len(Path(mount.point).parts) == nearest), None)


def is_network(mount: Mount) -> bool:
    return mount.kind in NETWORK


def wrong_options(mount: Mount) -> tuple[str, ...]:
    """What of a network mount has to be another way, a line each; nothing for any other mount."""
    return tuple(_wrong(mount.options)) if is_network(mount) else ()


def _wrong(options: Mapping[str, str]) -> Iterator[str]:
    if options.get("vers", "") not in _VERSIONS:
        yield f"vers={options.get('vers') or 'unknown'}: 4.1 or later, where link(2) is decided by the server"
    if "soft" in options or "softerr" in options:
        yield "soft: hard, or a write that the server is slow about is lost"
    if "noac" not in options:
        yield from _caching(options)
    if "ro" in options:
        yield "ro: rw, or nothing can be published"


def _caching(options: Mapping[str, str]) -> Iterator[str]:
    if options.get("lookupcache", "all") not in ("pos", "positive", "none"):
        yield "lookupcache=all: positive, or what was absent once stays so for a while"
    # Left out by the kernel where it is the default: 30 and 60 seconds.
    for name, default, most in (("acdirmin", "30", 0), ("acdirmax", "60", _LISTING_S)):
        value = options.get(name, default)
        if not value.isdigit() or int(value) > most:
            yield f"{name}={value}: {most}, or listings lag by as many seconds"


def read_mounts(file: Path = MOUNTINFO) -> tuple[Mount, ...]:
    """The mounts of this process; none where the system has no such table."""
    try:
        return parse_mounts(file.read_text(encoding="utf-8", errors="surrogateescape"))
    except OSError:
        return ()

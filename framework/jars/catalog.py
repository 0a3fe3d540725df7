"""The pinned list of jars, ``locked.toml``: per set every jar's coordinate, size and digest. Nothing else is fetched."""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from framework.errors import ConfigError

LOCKED: Final = Path(__file__).with_name("locked.toml")


@dataclass(frozen=True, slots=True)
class Coordinate:
    """What Maven calls a jar: ``group:artifact:version`` or ``group:artifact:version:classifier``."""

    group: str
    artifact: str
    version: str
    classifier: str = ""

    @classmethod
    def of(cls, text: str) -> "Coordinate":
        """Raises: ConfigError for text of another form."""
        parts = text.split(":")
        if len(parts) not in {3, 4} or not all(parts):
            raise ConfigError("not a jar's coordinate", got=text, expected="group:artifact:version[:classifier]")
        return cls(*parts)

    @property
    def file(self) -> str:
        return "-".join(part for part in (self.artifact, self.version, self.classifier) if part) + ".jar"

    def __str__(self) -> str:
        return ":".join(part for part in (self.group, self.artifact, self.version, self.classifier) if part)


@dataclass(frozen=True, slots=True)
class Jar:
    """One jar as it was when the list was written."""

    coordinate: Coordinate
    bytes: int
    sha256: str

    @property
    def file(self) -> str:
        return self.coordinate.file


@dataclass(frozen=True, slots=True)
class JarSet:
    """Jars that are of use together. ``about`` says to whom."""

    name: str
    about: str
    jars: tuple[Jar, ...]

    @property
    def bytes(self) -> int:
        return sum(jar.bytes for jar in self.jars)


Catalog = Mapping[str, JarSet]


def load_catalog(path: Path = LOCKED) -> Catalog:
    """Every set of the list by name. Raises: ConfigError when the file is not such a list."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _jar_set(name, entry) for name, entry in data.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(
            "the list of jars cannot be read", where=path, got=str(error), next_step="write it anew: make lock-jars"
        ) from error


def _jar_set(name: str, entry: Mapping[str, Any]) -> JarSet:
    return JarSet(name, entry["about"], tuple(_jar(line) for line in entry["jars"]))


def _jar(line: str) -> Jar:
    coordinate, size, digest = line.split()
    return Jar(Coordinate.of(coordinate), int(size), digest.removeprefix("sha256="))


def chosen(names: Sequence[str], catalog: Catalog) -> tuple[JarSet, ...]:
    """The sets called ``names``, all of them when none is named. Raises: ConfigError naming the unknown ones."""
    unknown = [name for name in names if name not in catalog]
    if unknown:
        near = get_close_matches(unknown[0], catalog, n=1)
        hint = f"did you mean {near[0]!r}?" if near else None
        raise ConfigError(
            "no such set of jars", got=", ".join(unknown), expected=", ".join(sorted(catalog)), next_step=hint
        )
    return tuple(catalog[name] for name in names or sorted(catalog))


def as_toml(sets: Iterable[JarSet]) -> str:
    """The list's text: one line a jar, so that a change of version is one line of a diff."""
    blocks = []
    for one in sorted(sets, key=lambda s: s.name):
        lines = [f'    "{jar.coordinate} {jar.bytes} sha256={jar.sha256}",' for jar in one.jars]
        blocks.append("\n".join([f"[{one.name}]", f'about = "{one.about}"', "jars = [", *lines, "]", ""]))
    return "# Written by: make lock-jars. A jar a line: coordinate, bytes, digest.\n\n" + "\n".join(blocks)

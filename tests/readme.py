"""Blocks and file names of the repository's Markdown files."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SKIPPED = {".venv", ".teamspark", ".git", "node_modules", ".pytest_cache", "build", "dist"}
FENCE = re.compile(r"^```([\w-]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# `errors.py`, `framework/spark/`, [text](path). Other names in ticks (`runs/`, `request.json`) are of files that are made.
TICKED = re.compile(
    r"`((?:\.\./)*(?:(?:framework|jobs|airflow_bindings|k8s|benchmarks|tests|tools|locks)/[\w./-]*|[\w./-]+\.(?:py|md|toml)))`"
)
LINKED = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)[^)]*\)")


class Block(NamedTuple):
    """One fenced block: ``line`` is its first line in ``file``."""

    file: Path
    line: int
    language: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def markdown_files() -> list[Path]:
    """Every README and other Markdown file of the repository."""
    return sorted(file for file in ROOT.rglob("*.md") if not SKIPPED & set(file.relative_to(ROOT).parts))


def blocks(*languages: str) -> list[Block]:
    """The fenced blocks of these languages, of every Markdown file."""
    return [
        Block(file, text.count("\n", 0, match.start()) + 2, match[1], match[2])
        for file in markdown_files()
        for text in [file.read_text()]
        for match in FENCE.finditer(text)
        if match[1] in languages
    ]


def named_files(file: Path) -> list[str]:
    """The paths that the prose of ``file`` names as being in the repository."""
    prose = FENCE.sub("", file.read_text())
    found = {*TICKED.findall(prose), *LINKED.findall(prose)}
    # `__init__.py` names a kind of file, not one.
    return sorted(name for name in found if not name.startswith("__"))

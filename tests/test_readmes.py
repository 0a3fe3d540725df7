"""Every README tells the truth: its Python runs, its YAML and JSON parse, the files it names exist."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.readme import ROOT, Block, blocks, markdown_files, named_files

LANGUAGES = {"python", "yaml", "json", "console", "text", "toml", "sql"}
# Made by running something, so not in a fresh clone.
MADE = (".venv", ".teamspark", "build/")


def programs() -> Iterator[Any]:
    """The files with Python blocks; those whose blocks start Spark are marked."""
    for file in sorted({block.file for block in blocks("python")}):
        starts = any(word in file.read_text() for word in ("open_session(", "run_job("))
        yield pytest.param(file, id=str(file.relative_to(ROOT)), marks=pytest.mark.spark if starts else ())


@pytest.mark.parametrize("file", list(programs()))
def test_python_blocks_run(file: Path, tmp_path: Path) -> None:
    """The blocks of one file share one process, top to bottom, as a reader would type them; tests in them are run."""
    text = "\n\n".join(block.text for block in blocks("python") if block.file == file)
    program = tmp_path / "test_readme.py"
    program.write_text(text)
    by_pytest = ["-m", "pytest", "-q", "-c", os.devnull, "-p", "no:cacheprovider"] if "def test_" in text else []

    done = subprocess.run(
        [sys.executable, *by_pytest, program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "AIRFLOW_HOME": str(tmp_path / "airflow"), "PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


def test_the_first_page_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


@pytest.mark.parametrize("block", blocks("yaml", "json"), ids=lambda block: block.id)
def test_data_blocks_parse(block: Block) -> None:
    parsed = yaml.safe_load(block.text) if block.language == "yaml" else json.loads(block.text)

    assert parsed is not None


@pytest.mark.parametrize("file", markdown_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_named_files_exist(file: Path) -> None:
    missing = [
        name
        for name in named_files(file)
        if not name.startswith(MADE) and not any((base / name).exists() for base in (ROOT, file.parent))
    ]

    assert missing == []


@pytest.mark.parametrize("file", markdown_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_every_block_says_what_it_is(file: Path) -> None:
    """A block without a known language would be read by people and run by nobody."""
    opened = [line.strip() for line in file.read_text().splitlines() if line.startswith("```")]

    assert [fence for fence in opened[::2] if fence.removeprefix("```") not in LANGUAGES] == []

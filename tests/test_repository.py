"""What no committed file may hold, and what every room must have."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("framework", "airflow_bindings", "k8s", "jobs", "benchmarks", "tools", "locks", "tests")

# Spelled in halves, so that this file does not hold what it looks for.
MACHINE_PATHS = re.compile(r"/(?:work|ro{2}t|home/\w+|Users/\w+)/(?!\.\.\.)")
REGISTRY_HOSTS = re.compile(
    r"(?i)\b(?:pypi\." + r"org|pythonhosted\." + r"org|registry\.npmjs\." + r"org|docker\." + r"io|quay\." + r"io)\b"
)
PROCESS_WORDS = re.compile(
    r"(?i)\b(?:"
    + "|".join(
        (
            "TO" + "DO",
            "FIX" + "ME",
            "X" + "XX",
            "as (?:the )?" + "issue (?:asks|says|wants)",
            "issue" + r" #?\d+",
            "design\\." + "md",
            "SPEC\\." + "md",
            "the br" + "ief",
            "langu" + "age model",
            "AI" + "-generated",
            "clau" + "de|anth" + "ropic|chat" + "gpt",
        )
    )
    + r")\b"
)


def committed() -> list[Path]:
    """Files that are, or are about to be, in the repository; empty where there is no git to ask."""
    asked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
    )
    return [ROOT / name for name in asked.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    """(path, text) of every committed text file."""
    found = [(file.relative_to(ROOT).as_posix(), file.read_bytes()) for file in committed()]
    return [(name, data.decode(errors="replace")) for name, data in found if b"\0" not in data[:8192]]


@pytest.mark.parametrize("pattern", [MACHINE_PATHS, REGISTRY_HOSTS, PROCESS_WORDS], ids=["paths", "hosts", "words"])
def test_no_committed_file_holds(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}:{number}: {line.strip()[:120]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]

    assert found == []


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        (MACHINE_PATHS, "cd /work" + "/main"),
        (MACHINE_PATHS, "file:///home/ann" + "/data"),
        (REGISTRY_HOSTS, "https://pypi." + "org/simple"),
        (PROCESS_WORDS, "# TO" + "DO: later"),
        (PROCESS_WORDS, "see issue" + " 3"),
    ],
)
def test_the_patterns_find_what_they_are_for(pattern: re.Pattern[str], line: str) -> None:
    assert pattern.search(line)


def test_git_is_there_to_ask() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: there is no list of committed files to look at")
    assert len(committed()) > 20


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_readme(room: str) -> None:
    assert (ROOT / room / "README.md").is_file()


def test_no_committed_file_is_large() -> None:
    assert [str(file) for file in committed() if file.stat().st_size > 1_000_000] == []

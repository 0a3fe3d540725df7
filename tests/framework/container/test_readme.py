"""What the room's README tells a newcomer to type, typed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.readme import ROOT, blocks

HERE = ROOT / "framework/container/README.md"
TEAM = "team: flights\nowners: [a@example.org]\nstore: {kind: directory, root: store}\n"


def text_with(words: str, language: str) -> str:
    (found,) = [one.text for one in blocks(language) if one.file == HERE and words in one.text]
    return found


def test_a_newcomer_tries_a_contract(tmp_path: Path) -> None:
    for folder in ("k8s/teams", "jobs/flights"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "k8s/teams/flights.yaml").write_text(TEAM)
    (tmp_path / "jobs/flights/late.py").write_text(text_with("class Late", "python"))
    (tmp_path / "late.py").write_text(text_with("DictWriter", "text"))
    commands = [line.removeprefix("$ ") for line in text_with("jobs.flights.late", "console").splitlines()]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    done = [
        subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=120,
        )
        for command in commands
    ]

    assert [one.returncode for one in done] == [0] * len(commands), "".join(one.stderr for one in done)
    assert "1 row" in done[1].stdout
    assert "2 rows" in done[2].stdout
    assert "late.late" in done[3].stdout

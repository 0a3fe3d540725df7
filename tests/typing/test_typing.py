"""mypy and pyright, both strict, accept what teams write and find what they write wrongly.

Wrong usage stands in ``wrong/*.txt``, outside what the linters look at; a line that must be found ends in ``# wrong``.
"""

import json
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
WRONG: Final = sorted(path.stem for path in (HERE / "wrong").glob("*.txt"))
TIMEOUT_S: Final = 280

Found = Mapping[str, Mapping[int, str]]
"""By file name: line to message."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the usage file and the wrong files as modules."""
    folder = tmp_path_factory.mktemp("usage")
    for path in [HERE / "usage.py", *(HERE / "wrong").glob("*.txt")]:
        (folder / f"{path.stem}.py").write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


def with_mypy(files: Path) -> Found:
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--config-file",
        "pyproject.toml",
        "--no-error-summary",
        "--hide-error-context",
    ]
    done = run([*command, *map(str, sorted(files.glob("*.py")))])
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for path, line, message in re.findall(r"^(.+?\.py):(\d+): error: (.*)$", done, flags=re.MULTILINE):
        # By name: for a file that has not changed, mypy's cache answers with the folder of an earlier run.
        if (files / Path(path).name).exists():
            found[Path(path).name][int(line)] = message
    assert found or not done.strip(), done
    return found


def with_pyright(files: Path) -> Found:
    settings: dict[str, Any] = {
        "include": ["."],
        "extraPaths": [str(ROOT)],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        # What a strict checker says about unused things is true in these files, and no mistake of a team.
        "reportUnusedExpression": False,
        "reportUnusedCallResult": False,
    }
    (files / "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
    done = run([sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", "-p", str(files)])
    found: dict[str, dict[int, str]] = defaultdict(dict)
    for item in json.loads(done)["generalDiagnostics"]:
        if item["severity"] == "error":
            found[Path(item["file"]).name][item["range"]["start"]["line"] + 1] = item["message"]
    return found


def run(command: list[str]) -> str:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT_S).stdout


CHECKERS: Final[Mapping[str, Callable[[Path], Found]]] = {"mypy": with_mypy, "pyright": with_pyright}


@pytest.fixture(scope="module", params=sorted(CHECKERS))
def found(request: pytest.FixtureRequest, files: Path) -> Found:
    """What one checker finds: a whole run each, since starting one is what takes the time."""
    return CHECKERS[request.param](files)


def test_what_teams_write_is_accepted(found: Found) -> None:
    assert dict(found.get("usage.py", {})) == {}


@pytest.mark.parametrize("name", WRONG)
def test_every_marked_line_is_found_and_no_other(found: Found, name: str) -> None:
    lines = (HERE / "wrong" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# wrong")}

    assert sorted(found[f"{name}.py"]) == sorted(marked), found[f"{name}.py"]

"""Making ``.venv``: the cases that need no download."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What set-up looks at, in a folder with a space in its name."""
    place = tmp_path / "a clone"
    for folder in ("tools", "locks"):
        shutil.copytree(ROOT / folder, place / folder)
    shutil.copy(ROOT / "pyproject.toml", place)
    # Java is another test's.
    (place / "tools" / "java").write_text("#!/bin/bash\n")
    return place


def setup(clone: Path, python: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["tools/setup"], cwd=clone, env={"PATH": "/usr/bin:/bin", "PYTHON": python}, capture_output=True, text=True
    )


def program(place: Path, text: str) -> str:
    place.write_text(f"#!/bin/bash\n{text}\n")
    place.chmod(0o755)
    return str(place)


@pytest.mark.parametrize("version", ["3.9", "3.12", "2.7"])
def test_another_python_is_refused_before_anything_is_touched(clone: Path, tmp_path: Path, version: str) -> None:
    done = setup(clone, program(tmp_path / "python", f"echo {version}"))

    assert done.returncode == 1
    assert f"Python 3.11 is needed; {tmp_path}/python is {version}" in done.stderr
    assert "make setup PYTHON=" in done.stderr
    assert not (clone / ".venv").exists()


def test_no_python_is_said(clone: Path) -> None:
    done = setup(clone, str(clone / "no-python"))

    assert done.returncode == 1
    assert "Python 3.11 is needed" in done.stderr


def test_an_environment_that_fits_is_left_alone_and_a_changed_lock_makes_it_anew(clone: Path, tmp_path: Path) -> None:
    """An interpreter that cannot make environments shows when set-up would make one."""
    python = program(tmp_path / "python", f'[ "$2" = venv ] && exit 9; exec {sys.executable} "$@"')
    bin_folder = clone / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    shutil.copy("/bin/true", bin_folder / "python")
    remember(clone, python)

    unchanged = setup(clone, python)
    with (clone / "locks" / "all.txt").open("a") as lock:
        lock.write("# changed\n")
    changed = setup(clone, python)

    assert (unchanged.returncode, unchanged.stdout) == (0, "")
    assert changed.returncode == 1
    assert "cannot make a virtual environment" in changed.stderr
    assert not bin_folder.exists()


def remember(clone: Path, python: str) -> None:
    """Write the digests that set-up itself would have left."""
    functions = (clone / "tools" / "setup").read_text().partition("choose_python\ntools/java")[0]
    for stamp, files in ((".packages", "locks/uv.txt locks/all.txt"), (".project", "pyproject.toml")):
        made = subprocess.run(
            ["bash", "-c", f"{functions}\ndigest {files}"],
            cwd=clone,
            env={"PATH": "/usr/bin:/bin", "PYTHON": python},
            capture_output=True,
            text=True,
            check=True,
        )
        (clone / ".venv" / stamp).write_text(made.stdout.strip())

"""Both sides install apart: Airflow's processes without pyspark, drivers without Airflow."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UV = Path(sys.executable).with_name("uv")


def names(lock: str) -> set[str]:
    """The packages that a lock pins."""
    lines = (ROOT / "locks" / lock).read_text().splitlines()
    return {line.partition("==")[0] for line in lines if "==" in line and not line.startswith((" ", "#"))}


def pins(lock: str) -> set[str]:
    return {
        line.split()[0]
        for line in (ROOT / "locks" / lock).read_text().splitlines()
        if "==" in line[:80] and line[0].isalnum()
    }


def test_each_side_has_its_own_spark() -> None:
    airflow, jobs = names("airflow.txt"), names("jobs.txt")

    assert {"pyspark-client", "apache-airflow"} <= airflow
    assert "pyspark" not in airflow
    assert "pyspark" in jobs
    assert not {"pyspark-client", "apache-airflow"} & jobs


@pytest.mark.parametrize("lock", ["airflow.txt", "jobs.txt"])
def test_both_sides_have_the_versions_tested_together(lock: str) -> None:
    assert pins(lock) <= pins("all.txt")


@pytest.mark.parametrize("lock", ["all.txt", "airflow.txt", "jobs.txt", "uv.txt"])
def test_every_pin_has_a_hash(lock: str) -> None:
    text = (ROOT / "locks" / lock).read_text()

    assert text.count("==") >= 1
    assert all(
        "--hash=sha256:" in pinned
        for pinned in text.replace("\\\n", "").splitlines()
        if "==" in pinned[:80] and pinned[0].isalnum()
    )


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("lock", "works", "absent"),
    [
        ("airflow.txt", "import airflow, framework, airflow_bindings", "pyspark.core"),
        ("jobs.txt", "import pyspark.core, framework, framework.driver", "airflow"),
    ],
)
def test_a_side_installs_alone(lock: str, works: str, absent: str, tmp_path: Path) -> None:
    source, venv = tmp_path / "source", tmp_path / "venv"
    python = venv / "bin" / "python"

    def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=600)

    # A copy: a build leaves folders in its source.
    for room in ("framework", "airflow_bindings", "k8s", "jobs", "benchmarks"):
        shutil.copytree(ROOT / room, source / room)
    shutil.copy(ROOT / "pyproject.toml", source)
    run(UV, "venv", "--python", sys.executable, venv)

    installed = run(UV, "pip", "install", "--python", python, "--require-hashes", "-r", ROOT / "locks" / lock)
    project = run(UV, "pip", "install", "--python", python, "--no-deps", source)
    checked = run(UV, "pip", "check", "--python", python)

    assert (installed.returncode, project.returncode, checked.returncode) == (0, 0, 0), (
        installed.stderr + checked.stderr
    )
    assert run(python, "-c", works).returncode == 0
    assert run(python, "-c", f"import {absent}").returncode != 0

"""A team's DAG processor is its own Unix user's: what another team's author code sees of it, on a real kernel."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="other users' processes are started by root only")

USERS = {"flights": 51001, "insights": 51002}
PYTHON = getattr(sys, "_base_executable", sys.executable)
SECRET = "postgresql://airflow_dag_processor_flights:not-yours@db/airflow"
DEEDS = {
    "its environment": "print(open(f'/proc/{pid}/environ').read())",
    "its memory": "print(open(f'/proc/{pid}/mem', 'rb').read(0) and 0)",
    "its open files": "print(os.listdir(f'/proc/{pid}/fd'))",
    "its folder": "print(os.listdir(f'/proc/{pid}/cwd/'))",
    "its end": "os.kill(int(pid), 0)",
}


@pytest.fixture(scope="module")
def processor() -> Iterator[int]:
    """A process of the user of flights, with the login of its component in its environment."""
    # A process that has changed its user is not to be read by anybody: one that is started as it stays.
    code = "import time; print('up', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [PYTHON, "-S", "-c", code], user=USERS["flights"], group=USERS["flights"], extra_groups=[],
        env={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": SECRET}, cwd="/", stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)
        yield process.pid
        process.kill()


@pytest.mark.parametrize("deed", DEEDS)
def test_another_teams_code_sees_nothing_of_it(processor: int, deed: str) -> None:
    """The witness: code of the same user does, which is why no two teams share one."""
    other, same = (tried(uid, processor, DEEDS[deed]) for uid in (USERS["insights"], USERS["flights"]))

    assert (other.returncode, "PermissionError" in other.stderr) == (1, True), other
    assert SECRET not in other.stdout
    assert same.returncode == 0, same.stderr
    if deed == "its environment":
        assert SECRET in same.stdout


def tried(uid: int, pid: int, deed: str) -> subprocess.CompletedProcess[str]:
    code = f"import os; pid = {pid}; {deed}"
    return subprocess.run(
        [PYTHON, "-S", "-c", code], user=uid, group=uid, extra_groups=[], capture_output=True, text=True, cwd="/", env={},
    )  # fmt: skip

"""A team's DAG processor is its own Unix user's: what another team's author code sees of it, on a real kernel."""

import os
import subprocess
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="other users' processes are started by root only")

USERS = {"flights": 51001, "insights": 51002}
SECRET = "postgresql://airflow_dag_processor_flights:not-yours@db/airflow"
DEEDS = {
    "its environment": "cat /proc/{pid}/environ",
    "its open files": "ls -l /proc/{pid}/fd/",
    "its folder": "ls /proc/{pid}/cwd/",
    "its memory's map": "cat /proc/{pid}/maps",
    "its end": "kill -0 {pid}",
}


@pytest.fixture(scope="module")
def processor() -> Iterator[int]:
    """A process of the user of flights, with the login of its component in its environment."""
    with subprocess.Popen(
        ["/bin/sh", "-c", "echo up; exec sleep 600"], user=USERS["flights"], group=USERS["flights"], extra_groups=[],
        env={"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": SECRET}, cwd="/", stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


@pytest.mark.parametrize("deed", DEEDS)
def test_another_teams_code_sees_nothing_of_it(processor: int, deed: str) -> None:
    """The witness: code of the same user does, which is why no two teams share one."""
    other, same = (tried(uid, DEEDS[deed].format(pid=processor)) for uid in (USERS["insights"], USERS["flights"]))

    assert other.returncode != 0
    assert "not permitted" in other.stderr or "ermission denied" in other.stderr
    assert SECRET not in other.stdout
    assert same.returncode == 0, same.stderr
    assert (SECRET in same.stdout) is (deed == "its environment")


def tried(uid: int, deed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", "-c", deed], user=uid, group=uid, extra_groups=[], capture_output=True, text=True, cwd="/", env={}
    )

"""The servers that tests start leave nothing: no process, no file, no port."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
from tests.servers.seaweed import running
with running() as server:
    print(server.pid, server.endpoint, flush=True)
    input()
"""


def test_a_server_dies_with_the_run_that_is_killed() -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert run.stdin is not None
    assert run.stdout is not None
    with run.stdin, run.stdout:
        pid = int(run.stdout.readline().split()[0])
        left = _files_of(pid)
        os.kill(run.pid, signal.SIGKILL)
        run.wait(timeout=30)

    deadline = time.monotonic() + 30
    while _alive(pid):
        assert time.monotonic() < deadline, "the server outlived its run"
        time.sleep(0.05)
    for path in left:  # whoever is killed cannot tidy up
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def test_a_server_that_is_stopped_leaves_no_file() -> None:
    from tests.servers.seaweed import running

    with running() as server:
        home = Path(f"/proc/{server.pid}/cwd").resolve()
        files = _files_of(server.pid)
        assert (home / "s3.json").exists()
        assert all(file.exists() for file in files)
        assert len(files) == 7

    assert not any(file.exists() for file in files)
    assert not _alive(server.pid)


def _files_of(pid: int) -> list[Path]:
    """Its folder and its sockets."""
    command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    grpc = re.findall(r"-(\w+)\.port\.grpc=(\d+)", command)
    return [
        Path(f"/proc/{pid}/cwd").resolve(),
        *(Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock") for name, port in grpc),
        *map(Path, re.findall(r"\.localSocket=(\S+)", command)),
    ]


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"

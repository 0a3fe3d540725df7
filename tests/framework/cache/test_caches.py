"""Caches of several teams for a while: what is refused before anything starts, and who may end whose."""

import os
from pathlib import Path

import pytest

from framework.cache.caches import PROCESSES_BYTES, Asked, available_bytes, require_memory, running
from framework.cache.parts import Wanted
from framework.errors import SetupError
from framework.servers.processes import only_one
from framework.storage.posix import DirectoryStore

MEMINFO = "MemTotal:       24606724 kB\nMemFree:          123 kB\nMemAvailable:    2048 kB\n"
HELD = 256 * 2**20


def test_what_is_available_is_what_the_kernel_says() -> None:
    assert available_bytes(MEMINFO) == 2 * 2**20
    assert available_bytes(Path("/proc/meminfo").read_text()) > 0


def test_caches_that_do_not_fit_are_refused_before_they_start() -> None:
    needed = 2 * (HELD + PROCESSES_BYTES)

    with pytest.raises(SetupError, match="not the memory for 2 cache") as caught:
        require_memory([HELD, HELD], needed - 1)

    assert "1,912 MiB" in str(caught.value)
    assert "--cache none" in str(caught.value)
    require_memory([HELD, HELD], needed)


def test_what_another_process_has_up_is_used_and_not_ended(tmp_path: Path) -> None:
    def never() -> list[Asked]:
        raise AssertionError("nothing is to be started")

    with only_one(tmp_path, "the other"), running(tmp_path, never, notice=print):
        pass
    # The witness: without the other they would be started.
    with pytest.raises(AssertionError), running(tmp_path, never, notice=print):
        pass


@pytest.mark.parametrize("missing", ["Java", "jars"])
def test_what_is_missing_is_told_and_nothing_stays(
    tmp_path: Path, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = dict(os.environ)
    if missing == "Java":
        environ = {"PATH": str(tmp_path)}
    else:
        monkeypatch.setattr("sys.prefix", str(tmp_path))  # an environment without jars
        monkeypatch.setenv("PATH", str(tmp_path))  # and without Maven
    wanted = Wanted("flights", DirectoryStore(tmp_path / "store"), tmp_path / "home", HELD)

    with (
        pytest.raises(SetupError, match="Java" if missing == "Java" else "Maven"),
        running(tmp_path / "all", lambda: [Asked(wanted, environ)], notice=print),
    ):
        pass

    assert not (tmp_path / "home/cluster.json").exists()

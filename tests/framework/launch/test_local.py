"""What only real processes can show."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.identity import Epoch, RunKey
from framework.launch.base import CONFIG, CONNECTIONS, LaunchRequest, Phase
from framework.launch.local import LocalLauncher, _members

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
EPOCH = Epoch("1f" * 8, try_number=1, launch=1)
SLEEP = "import time; time.sleep(300)"
# A run with a child, both deaf to polite signals, like a JVM in a long collection.
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; time.sleep(300)"])
print("ready", flush=True)
time.sleep(300)
"""
STARTER = """
import os, signal, sys
from pathlib import Path
from framework.identity import Epoch, RunKey
from framework.launch.base import LaunchRequest
from framework.launch.local import LocalLauncher
key, epoch, command = {key!r}, {epoch!r}, {command!r}
LocalLauncher(Path({state!r})).start(LaunchRequest("one", RunKey(*key), Epoch(*epoch), 0, command=command, config=b""))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def launcher(state: Path) -> Iterator[LocalLauncher]:
    made = LocalLauncher(state)
    yield made
    for status in made.unfinished(KEY):
        made.kill(status.name)


def _request(program: str, *words: str, env: dict[str, str] | None = None) -> LaunchRequest:
    command = (sys.executable, "-I", "-S", "-c", program, *words)
    return LaunchRequest("one", KEY, EPOCH, 0, command=command, config=b'{"a": 1}', env=env or {})


def _until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_run_outlives_the_process_that_started_it(launcher: LocalLauncher, state: Path) -> None:
    facts = {"key": astuple(KEY), "epoch": astuple(EPOCH), "command": _request(SLEEP).command, "state": str(state)}

    starter = subprocess.run([sys.executable, "-c", STARTER.format(**facts)], cwd=Path.cwd(), check=False)

    assert starter.returncode == -signal.SIGKILL
    _until(lambda: launcher.status("one").phase is Phase.RUNNING)


def test_kill_reaches_children_that_ignore_polite_signals(launcher: LocalLauncher, state: Path) -> None:
    launcher.start(_request(STUBBORN))
    _until(lambda: launcher.log("one") == b"ready\n")
    members = _members(state / "runs" / "one")

    launcher.kill("one")

    assert len(members) == 3  # runner, run, its child
    assert [pid for pid in members if Path(f"/proc/{pid}/stat").exists() and _alive(pid)] == []


def _alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_a_run_is_not_lost_while_only_its_runner_died(launcher: LocalLauncher, state: Path) -> None:
    launcher.start(_request(SLEEP))
    home = state / "runs" / "one"
    _until(lambda: len(_members(home)) == 2)

    os.kill(json.loads((home / "process.json").read_text())["pid"], signal.SIGKILL)
    _until(lambda: len(_members(home)) == 1)

    assert launcher.status("one").phase is Phase.RUNNING
    launcher.kill("one")
    assert launcher.status("one").phase is Phase.FAILED


def test_a_process_that_merely_has_the_number_is_left_alone(launcher: LocalLauncher, state: Path) -> None:
    launcher.start(_request("pass"))
    _until(lambda: launcher.status("one").phase is Phase.SUCCEEDED)
    home = state / "runs" / "one"
    stranger = subprocess.Popen([sys.executable, "-I", "-S", "-c", SLEEP], start_new_session=True)
    facts = {"pid": stranger.pid, "started": 1}
    (home / "process.json").write_text(json.dumps(facts))

    launcher.kill("one")

    assert stranger.poll() is None
    # Witness: with the right start time, the same process is the launch's own and is killed.
    facts["started"] = int(Path(f"/proc/{stranger.pid}/stat").read_text().rpartition(")")[2].split()[19])
    (home / "process.json").write_text(json.dumps(facts))
    launcher.kill("one")
    assert stranger.wait(30) == -signal.SIGTERM


def test_racing_starters_of_one_name_start_one_process(launcher: LocalLauncher, tmp_path: Path) -> None:
    mark = tmp_path / "marks"
    request = _request("import sys; open(sys.argv[1], 'a').write('x')", str(mark))
    threads = [threading.Thread(target=launcher.start, args=(request,)) for _ in range(8)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    _until(lambda: launcher.status("one").phase is Phase.SUCCEEDED)
    assert mark.read_text() == "x"


def test_connections_are_a_private_file_of_their_own_and_gone_after_clear(launcher: LocalLauncher, state: Path) -> None:
    read = "import os, sys; print(oct(os.stat(sys.argv[1]).st_mode & 0o777), open(sys.argv[1]).read(), sys.argv)"
    request = replace(_request(read, CONNECTIONS), connections=b"hush")
    launcher.start(request)
    _until(lambda: launcher.status("one").phase is Phase.SUCCEEDED)
    log = launcher.log("one").decode()
    home = state / "runs" / "one"
    kept = sorted(path.name for path in home.iterdir() if path.is_file() and b"hush" in path.read_bytes())

    launcher.clear("one")

    assert log.startswith("0o600 hush ")
    assert kept == ["connections.json", "log"]  # the witness: until then it was there, and in no other file of ours
    assert not (home / "connections.json").exists()
    assert "hush" not in repr(request)


def test_configuration_is_private_and_gone_after_clear(launcher: LocalLauncher, state: Path) -> None:
    launcher.start(_request("import sys; print(open(sys.argv[1]).read())", CONFIG))
    _until(lambda: launcher.status("one").phase is Phase.SUCCEEDED)
    config = state / "runs" / "one" / "config.json"

    mode = config.stat().st_mode & 0o777
    launcher.clear("one")

    assert mode == 0o600
    assert launcher.log("one") == b'{"a": 1}\n'
    assert not config.exists()


def test_nothing_of_the_starters_environment_is_inherited(
    launcher: LocalLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOUSE_SECRET", "hush")
    launcher.start(_request("import os; print(sorted(n for n in os.environ if n != 'LC_CTYPE'))", env={"MINE": "1"}))

    _until(lambda: launcher.status("one").phase is Phase.SUCCEEDED)

    assert launcher.log("one") == b"['MINE', 'TMPDIR']\n"  # the second is the launch's own


LITTER = "import tempfile, time; print(tempfile.mkdtemp(), flush=True); time.sleep({seconds})"


def test_what_a_killed_run_leaves_lies_in_its_launch_and_goes_with_clear(launcher: LocalLauncher, state: Path) -> None:
    launcher.start(_request(LITTER.format(seconds=300)))
    _until(lambda: launcher.log("one").endswith(b"\n"))
    left = Path(launcher.log("one").decode().strip())
    launcher.kill("one")
    assert left.is_dir()  # the witness: a kill alone leaves it

    launcher.clear("one")

    assert left.is_relative_to(state / "runs" / "one")
    assert not left.exists()


def test_a_request_may_say_where_temporary_files_belong(launcher: LocalLauncher, tmp_path: Path) -> None:
    launcher.start(_request(LITTER.format(seconds=0), env={"TMPDIR": str(tmp_path)}))
    _until(lambda: launcher.status("one").phase is Phase.SUCCEEDED)

    assert Path(launcher.log("one").decode().strip()).parent == tmp_path


def test_a_command_that_does_not_exist_fails_and_says_so(launcher: LocalLauncher) -> None:
    launcher.start(LaunchRequest("one", KEY, EPOCH, 0, command=("/no/such/program",), config=b""))

    _until(lambda: launcher.status("one").phase is Phase.FAILED)

    assert launcher.status("one").exit_code == 127
    assert b"cannot start /no/such/program" in launcher.log("one")


@pytest.mark.parametrize("name", ["../one", "a/b", ".hidden"])
def test_a_name_cannot_leave_the_state_directory(launcher: LocalLauncher, name: str) -> None:
    with pytest.raises(ConfigError, match="not a launch name"):
        launcher.status(name)


SHOW = "import os; print({n: v for n, v in os.environ.items() if n.startswith('AWS_')})"


def _with_credentials(state: Path, text: str, mode: int = 0o600) -> LaunchRequest:
    file = state.parent / "flights.json"
    file.write_text(text)
    file.chmod(mode)
    return replace(_request(SHOW, env={"AWS_REGION": "here"}), credentials=file)


def test_only_the_run_itself_reads_its_credentials(launcher: LocalLauncher, state: Path) -> None:
    request = _with_credentials(state, '{"AWS_SECRET_ACCESS_KEY": "hush"}')

    launcher.start(request)
    _until(lambda: launcher.status("one").phase is Phase.SUCCEEDED)

    assert launcher.log("one") == b"{'AWS_REGION': 'here', 'AWS_SECRET_ACCESS_KEY': 'hush'}\n"
    assert "hush" not in repr(request)
    files = [file for file in (state / "runs/one").iterdir() if file.is_file() and file.name != "log"]
    kept = [file for file in files if b"hush" in file.read_bytes()]
    assert kept == []


def test_the_process_that_watches_a_run_shows_no_credentials(launcher: LocalLauncher, state: Path) -> None:
    request = _with_credentials(state, '{"AWS_SECRET_ACCESS_KEY": "hush"}')
    launcher.start(replace(request, command=(*request.command[:-1], SLEEP)))
    home = state / "runs" / "one"
    _until(lambda: len(_members(home)) == 2)

    runner = json.loads((home / "process.json").read_text())["pid"]
    (run,) = _members(home) - {runner}
    _until(lambda: b"-c" in Path(f"/proc/{run}/cmdline").read_bytes())

    assert b"hush" not in Path(f"/proc/{runner}/environ").read_bytes() + Path(f"/proc/{runner}/cmdline").read_bytes()
    assert b"hush" in Path(f"/proc/{run}/environ").read_bytes()


@pytest.mark.parametrize(
    ("text", "mode", "told"),
    [
        ('{"AWS_SECRET_ACCESS_KEY": "hush"}', 0o640, "others than its owner may open it"),
        ('{"AWS_SECRET_ACCESS_KEY": "hush"}', 0o604, "others than its owner may open it"),
        ("hush", 0o600, "not a JSON object"),
        ('["hush"]', 0o600, "not a JSON object"),
        ('{"AWS_REGION": 1, "AWS_TOKEN": "hush"}', 0o600, "not a JSON object"),
        ('{"LD_PRELOAD": "hush"}', 0o600, "that begin with AWS_"),
    ],
)
def test_credentials_that_cannot_be_right_end_the_run_unstarted_and_unquoted(
    launcher: LocalLauncher, state: Path, text: str, mode: int, told: str
) -> None:
    launcher.start(_with_credentials(state, text, mode))
    _until(lambda: launcher.status("one").phase is Phase.FAILED)

    said = launcher.log("one").decode()
    assert said.startswith("cannot use the credentials in ")
    assert told in said
    assert "hush" not in said


def test_credentials_are_not_read_through_a_link(launcher: LocalLauncher, state: Path) -> None:
    request = _with_credentials(state, '{"AWS_SECRET_ACCESS_KEY": "hush"}')
    link = state.parent / "insights.json"
    link.symlink_to("flights.json")

    launcher.start(replace(request, credentials=link))
    _until(lambda: launcher.status("one").phase is Phase.FAILED)

    assert b"hush" not in launcher.log("one")

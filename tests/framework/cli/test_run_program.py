"""``run`` and ``explain`` of a ``Contract``: a program in place of its image, what feeds it, and what is left when it is ended."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import waiting
from tests.framework.cli.conftest import Teamspark

ROOT = Path(__file__).resolve().parents[3]
CONTRACTS = """
from framework import Contract, Files, Frame, Schema

class Amount(Schema, key=("name",)):
    name: str
    amount: float

class Twice(Contract):
    factor: float = 2.0
    api_token: str = ""

    def transform(self, rows: Frame[Amount], model: Files | None) -> Frame[Amount]: ...

class Trained(Contract):
    def transform(self, model: Files) -> Files: ...
"""
PROGRAM = """
import json, os, pathlib, sys
import pyarrow.parquet as pq
told = json.loads(pathlib.Path(os.environ["TEAMSPARK_CONFIG"]).read_text())
print("the program prints")
given = told["inputs"]["rows"]
rows = [row for name in given["files"] for row in pq.read_table(pathlib.Path(given["path"]) / name).to_pylist()]
lines = [json.dumps({**row, "amount": row["amount"] * told["parameters"]["factor"]}) for row in rows]
(pathlib.Path(told["outputs"]["default"]["path"]) / "out.jsonl").write_text("\\n".join(lines) + "\\n")
"""
COPIES = """
import os, pathlib, shutil
given, out = (pathlib.Path(os.environ[f"TEAMSPARK_{name}"]) for name in ("INPUT_MODEL", "OUTPUT_DEFAULT"))
shutil.copytree(given, out, dirs_exist_ok=True)
for path in given.rglob("*"):
    path.is_file() and path.write_bytes(b"overwritten")
"""


@pytest.fixture
def contract(workspace: Path, team: str) -> str:
    (workspace / f"jobs/{team}/tools.py").write_text(CONTRACTS)
    return f"jobs.{team}.tools:Twice"


@pytest.fixture
def trained(contract: str) -> str:
    return contract.replace("Twice", "Trained")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "weights.bin").write_bytes(b"weights")
    (folder / ".DS_Store").write_bytes(b"of a desktop")
    return folder


def words(tmp_path: Path, text: str) -> str:
    program = tmp_path / "program.py"
    program.write_text(text)
    return f"{sys.executable} {program}"


def test_what_is_answered_as_json_is_json_alone(
    workspace: Path, contract: str, rows: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    asked = ["run", contract, "--input", f"rows={rows}", "--command", words(tmp_path, PROGRAM), "--json"]
    command = [sys.executable, "-m", "framework.cli", "--workspace", str(workspace), *asked]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["outputs"]["default"]["rows"] == 2
    assert "the program prints" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_go_it_takes_its_program_and_its_folders_along(
    workspace: Path, contract: str, rows: Path, tmp_path: Path, number: signal.Signals
) -> None:
    mark, temporary = tmp_path / "mark", tmp_path / "temporary"
    temporary.mkdir()
    text = (
        "import os, pathlib, subprocess\n"
        "child = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(mark)!r}).write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        "child.wait()\n"
    )
    asked = ["run", contract, "--input", f"rows={rows}", "--command", words(tmp_path, text)]
    heard = ["env", "--default-signal=HUP"]  # under nohup it would not be
    command = [*heard, sys.executable, "-m", "framework.cli", "--workspace", str(workspace), *asked]

    run = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "TMPDIR": str(temporary)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        waiting.until(lambda: mark.exists() and mark.read_text())
        assert list(temporary.iterdir()), "what is laid out for it"
        run.send_signal(number)
        run.communicate(timeout=60)
    finally:
        run.kill()

    assert run.returncode == 128 + number
    waiting.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in mark.read_text().split()))
    assert not list(temporary.iterdir())


def test_a_folder_feeds_files_and_is_never_the_program_s(
    teamspark: Teamspark, trained: str, model: Path, tmp_path: Path
) -> None:
    done = teamspark("run", trained, "--input", f"model={model}", "--command", words(tmp_path, COPIES), "--json")

    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    (published,) = Path(told["root"]).rglob("weights.bin")
    assert published.read_bytes() == b"weights"
    assert (model / "deep" / "weights.bin").read_bytes() == b"weights"
    assert not list(Path(told["root"]).rglob(".DS_Store"))


@pytest.mark.parametrize(("expected", "code"), [(b"weights", 0), (b"others", 1)])
def test_a_case_holds_folders_of_files(
    teamspark: Teamspark, workspace: Path, team: str, trained: str, tmp_path: Path, expected: bytes, code: int
) -> None:
    case = workspace / f"jobs/{team}/fixtures/trained/plain"
    for name, content in (("in.model", b"weights"), ("out.default", expected)):
        (case / name).mkdir(parents=True)
        (case / name / "model.bin").write_bytes(content)

    done = teamspark("run", trained, "--fixtures", case, "--command", words(tmp_path, COPIES))

    assert done.exit_code == code, done.stderr
    assert ("model.bin: 7 bytes that differ from the 6 expected" in done.stderr) == bool(code)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("model={rows}", "port 'model' is files"),
        ("model={empty}", "this folder holds no files"),
        ("model={model}+model={model}", "port 'model' is fed by one folder"),
        ("model=nowhere", "--input names neither a file nor a task"),
    ],
)
@pytest.mark.parametrize("command", ["run", "explain"])
def test_what_cannot_feed_files(
    teamspark: Teamspark, trained: str, rows: Path, model: Path, tmp_path: Path, given: str, told: str, command: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".hidden").touch()
    said = given.format(rows=rows, model=model, empty=tmp_path / "empty").split("+")

    done = teamspark(command, trained, *(word for one in said for word in ("--input", one)))

    assert done.exit_code == 64
    assert told in done.stderr


def test_a_case_says_which_of_its_files_is_of_the_wrong_kind(
    teamspark: Teamspark, workspace: Path, team: str, contract: str
) -> None:
    case = workspace / f"jobs/{team}/fixtures/twice/plain"
    (case / "in.rows").mkdir(parents=True)

    done = teamspark("run", contract, "--fixtures", case)

    assert done.exit_code == 64
    assert "port 'rows' is rows" in done.stderr


def test_what_is_left_out_of_a_folder_is_told_and_links_are_refused(
    teamspark: Teamspark, trained: str, model: Path, tmp_path: Path
) -> None:
    told = teamspark("explain", trained, "--input", f"model={model}")
    (model / "link").symlink_to("/etc/hostname")
    refused = teamspark("explain", trained, "--input", f"model={model}")

    assert told.exit_code == 0
    assert "1 name(s) left out, since they begin with _ or . as markers do: .DS_Store" in told.stderr
    assert refused.exit_code == 64
    assert "something else than files and folders" in refused.stderr


def test_of_a_case_s_folder_a_port_of_files_takes_its_own(teamspark: Teamspark, trained: str, tmp_path: Path) -> None:
    (tmp_path / "case" / "in.model").mkdir(parents=True)
    (tmp_path / "case" / "in.model" / "weights.bin").write_bytes(b"weights")
    (tmp_path / "case" / "case.yaml").write_text("{}")

    done = teamspark(
        "run", trained, "--input", f"model={tmp_path / 'case'}", "--command", words(tmp_path, COPIES), "--json"
    )

    assert json.loads(done.stdout)["result"]["outputs"]["default"]["files"] == 1


def test_explained_it_needs_no_command_and_has_no_setting_of_spark(
    teamspark: Teamspark, contract: str, rows: Path
) -> None:
    done = teamspark("explain", contract, "--input", f"rows={rows}")
    told = json.loads(
        teamspark("explain", contract, "--input", f"rows={rows}", "--command", "tool -x", "--json").stdout
    )

    assert done.exit_code == 0, done.stderr
    assert "here, in place of an image: nothing" in done.stdout
    assert "spark." not in done.stdout
    assert (told["command"], told["settings"]) == (["tool", "-x"], [])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--conf", "spark.sql.shuffle.partitions=1", "--command", "x"), "--conf is for Spark"),
        ((), "no command to run here in its place"),
        (("--command", "x", "--param", "api_token=hunter2"), "is called like a secret"),
        (("--command", "x", "--param", "api_token=hunter2 {{"), "is called like a secret"),
        (("--command", "x", "--param", "factor=nan"), "factor"),
    ],
)
def test_what_a_contract_does_not_take(
    teamspark: Teamspark, workspace: Path, contract: str, rows: Path, options: tuple[str, ...], told: str
) -> None:
    done = teamspark("run", contract, "--input", f"rows={rows}", *options)

    assert done.exit_code == 64
    assert told in done.stderr
    assert "hunter2" not in done.stderr
    assert not (workspace / ".teamspark").exists()

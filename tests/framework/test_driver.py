"""The driver's verdicts about job files, with no Spark: whatever the file does, a result is left and says so."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from framework.driver import main
from framework.laptop import LaptopRun, laptop_config

TEAM = "team: {team}\nowners: [a@example.org]\nstore: {{kind: directory, root: store}}\n"


def drive(folder: Path, text: str) -> tuple[int, dict[str, Any] | None]:
    """What the driver ends with, and the result it left, for a job file that holds ``text``."""
    team = f"drv{abs(hash(folder)) % 10**9}"
    (folder / "k8s/teams").mkdir(parents=True)
    (folder / f"k8s/teams/{team}.yaml").write_text(TEAM.format(team=team))
    (folder / f"jobs/{team}").mkdir(parents=True)
    (folder / f"jobs/{team}/one.py").write_text(text)
    now = datetime(2013, 1, 2, tzinfo=UTC)
    config = laptop_config(LaptopRun(job=f"jobs.{team}.one:One", moment=None, now=now), folder)
    (folder / "config.json").write_text(config.model_dump_json())
    code = main(["--config", str(folder / "config.json"), "--result", str(folder / "result.json")])
    result = folder / "result.json"
    return code, json.loads(result.read_text()) if result.exists() else None


@pytest.fixture(autouse=True)
def forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules of the test's own jobs are imported from its folder."""
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name == "jobs" or name.startswith("jobs.drv")]:
        monkeypatch.delitem(sys.modules, name)


def test_a_job_file_that_exits_fails_with_a_result(tmp_path: Path) -> None:
    code, result = drive(tmp_path, "import sys\nsys.exit(0)\n")

    assert code == 65
    assert result is not None
    assert (result["verdict"], result["error"]["error"]) == ("failed", "DefinitionError")
    assert "SystemExit" in result["error"]["message"]


def test_an_interrupt_leaves_no_result_and_no_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, result = drive(tmp_path, "raise KeyboardInterrupt\n")

    assert (code, result) == (130, None)
    assert capsys.readouterr().err == "interrupted\n"

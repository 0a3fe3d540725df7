from pathlib import Path

import pytest
from typer.testing import CliRunner

from framework.cli.scope import Scope
from k8s.images.command import app


def ask(workspace: Path, *words: str) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(app, [*words], obj=Scope(workspace))
    return done.exit_code, done.output, done.exception


def test_help_says_what_it_takes(tmp_path: Path) -> None:
    code, text, _ = ask(tmp_path, "build", "--help")

    assert code == 0
    assert "--thin" in text
    assert "--output" in text


@pytest.mark.parametrize("team", ["nobody", "../flights", "..", ".", "shared"])
def test_a_team_without_jobs_is_told_before_anything_is_built(
    tmp_path: Path, team: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "jobs").mkdir()

    _, _, error = ask(tmp_path, "build", team)

    assert type(error).__name__ == "ConfigError"
    assert not (tmp_path / "cache").exists()

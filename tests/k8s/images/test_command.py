from pathlib import Path

import pytest
from typer.testing import CliRunner

from framework.cli.scope import Scope
from framework.tenancy.render import as_yaml
from k8s.images.command import app
from tests.k8s.teams import team as team_file


def ask(workspace: Path, *words: str) -> tuple[int, str, BaseException | None]:
    done = CliRunner().invoke(app, [*words], obj=Scope(workspace))
    return done.exit_code, done.output, done.exception


@pytest.fixture
def nothing_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with jobs, and a cache that must not be made."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "jobs" / "flights").mkdir(parents=True)
    (tmp_path / "jobs" / "flights" / "one.py").write_text("")
    (tmp_path / "k8s" / "teams").mkdir(parents=True)
    (tmp_path / "k8s" / "teams" / "flights.yaml").write_text(as_yaml(team_file("flights")))
    return tmp_path


@pytest.mark.parametrize(
    ("command", "options"),
    [("build", ["--thin", "--output", "--airflow", "--cache"]), ("push", ["--to", "--airflow", "--cache"])],
)
def test_help_says_what_it_takes(tmp_path: Path, command: str, options: list[str]) -> None:
    code, text, _ = ask(tmp_path, command, "--help")

    assert code == 0
    assert all(option in text for option in options)


@pytest.mark.parametrize("team", ["nobody", "../flights", "..", ".", "shared"])
@pytest.mark.parametrize("command", ["build", "push"])
def test_a_team_without_jobs_is_told_before_anything_is_built(nothing_built: Path, command: str, team: str) -> None:
    _, _, error = ask(nothing_built, command, team)

    assert type(error).__name__ == "ConfigError"
    assert not (nothing_built / "cache").exists()


@pytest.mark.parametrize("command", ["build", "push"])
@pytest.mark.parametrize("words", [[], ["flights", "--airflow"], ["--airflow", "--cache"]])
def test_one_image_is_asked_for(nothing_built: Path, command: str, words: list[str]) -> None:
    _, _, error = ask(nothing_built, command, *words)

    assert "one image at a time" in str(error)
    assert "TEAM, --airflow or --cache" in str(error)
    assert not (nothing_built / "cache").exists()


def test_what_the_cluster_would_refuse_is_told_before_anything_is_built(nothing_built: Path) -> None:
    _, _, error = ask(nothing_built, "push", "flights", "--to", "registry.example.org/insights/jobs")

    assert "registry.example.org/flights/*" in str(error)
    assert not (nothing_built / "cache").exists()


def test_nothing_is_below_airflow_s_image(nothing_built: Path) -> None:
    _, _, error = ask(nothing_built, "build", "--airflow", "--thin")

    assert "none below it" in str(error)
    assert not (nothing_built / "cache").exists()

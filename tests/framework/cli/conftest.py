"""A workspace of its own for each test, the real root command, and datasets published without Spark."""

import secrets
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from framework.cli.app import app

Teamspark = Callable[..., Result]
TEAM_FILE = """\
team: {team}
owners: [{team}@example.org]
store: {{kind: directory, root: store}}
reads: ["landing/*"]
"""


@pytest.fixture
def team() -> str:
    """A name that no other test has imported modules of."""
    return f"t{secrets.token_hex(6)}"


@pytest.fixture
def workspace(tmp_path: Path, team: str) -> Path:
    """A workspace with one team."""
    place = tmp_path / "workspace"
    (place / "k8s/teams").mkdir(parents=True)
    (place / f"k8s/teams/{team}.yaml").write_text(TEAM_FILE.format(team=team))
    (place / "jobs" / team).mkdir(parents=True)
    return place


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A file of two rows."""
    path = tmp_path / "rows.csv"
    path.write_text("name,amount\na,1\nb,5\n")
    return path


@pytest.fixture
def teamspark(workspace: Path) -> Teamspark:
    """``teamspark("jobs", "list")`` in the workspace; an error that is not ours is raised, not told."""

    def call(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["--workspace", str(workspace), *map(str, arguments)], catch_exceptions=False)

    return call

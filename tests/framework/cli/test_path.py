import json
from pathlib import Path

import pytest

from tests.framework.cli.conftest import Teamspark


def test_each_segment_is_explained(teamspark: Teamspark, team: str) -> None:
    done = teamspark("path", "explain", f"{team}/{team}.daily/Ingest/2013-01-01")

    assert done.exit_code == 0
    assert f"/{team}/{team}.daily/!49ngest/20130101T000000Z" in done.stdout
    assert "the run's logical date in UTC" in done.stdout
    assert "store" in done.stdout


def test_json_holds_the_path_and_its_segments(teamspark: Teamspark, team: str) -> None:
    done = teamspark("path", "explain", f"{team}/x/y/2013-01-01/map-2", "--json")

    told = json.loads(done.stdout)
    assert told["path"] == f"/{team}/x/y/20130101T000000Z/map-2"
    assert [segment["encoded"] for segment in told["segments"]] == [team, "x", "y", "20130101T000000Z", "map-2"]


def test_a_run_of_this_machine_is_below_its_own_folder(teamspark: Teamspark, workspace: Path, team: str) -> None:
    done = teamspark("path", "explain", f"{team}/_local/y/2013-01-01", "--json")

    assert Path(json.loads(done.stdout)["root"]).is_relative_to(workspace / ".teamspark")


def test_a_team_that_is_not_here_has_a_path_all_the_same(teamspark: Teamspark) -> None:
    done = teamspark("path", "explain", "elsewhere/x/y/2013-01-01", "--json")

    assert json.loads(done.stdout)["root"] is None


def test_an_id_that_is_too_long_is_refused(teamspark: Teamspark, team: str) -> None:
    done = teamspark("path", "explain", f"{team}/{'x' * 300}/y/2013-01-01")

    assert done.exit_code == 65
    assert "too long" in done.stderr


@pytest.mark.parametrize(
    ("typed", "told"),
    [("..", "2013-01-01"), ("yesterday", "2013-01-01"), ("2013-01-01@0", "@1"), ("2013-13-01", "2013-01-01")],
)
def test_a_run_that_is_mistyped_is_a_mistake_of_the_command_line(
    teamspark: Teamspark, team: str, typed: str, told: str
) -> None:
    done = teamspark("path", "explain", f"{team}/{team}.daily/ingest/{typed}")

    assert done.exit_code == 64
    assert told in done.stderr
    assert "run_segment" not in done.stderr

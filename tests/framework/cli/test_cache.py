"""``teamspark cache`` where there is none: what is told, with which exit code. With one: tests/framework/test_driver_cache.py."""

import json
from pathlib import Path

import pytest

from framework.cache.cluster import down, known
from framework.cache.opening import home_of
from tests.framework.cli.conftest import Teamspark


def test_a_team_without_a_cache_is_told_what_to_add(teamspark: Teamspark, team: str) -> None:
    done = teamspark("cache", "up", "--team", team)

    assert done.exit_code == 64
    assert "cache: {kind: alluxio}" in done.stderr


def test_status_of_nothing_asks_whose(teamspark: Teamspark) -> None:
    assert teamspark("cache", "status").exit_code == 64


def test_status_of_a_team_without_a_cache_is_not_well(teamspark: Teamspark, team: str) -> None:
    done = teamspark("cache", "status", "--team", team, "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout) == {"place": "none", "well": False, "why": "the team has no cache"}


def test_a_cache_that_is_not_up_says_how_to_start_it(teamspark: Teamspark, workspace: Path, team: str) -> None:
    with_cache(workspace, team)

    done = teamspark("cache", "status", "--team", team)

    assert done.exit_code == 1
    assert f"teamspark cache up --team {team}" in done.stdout
    assert "was not up" in teamspark("cache", "down", "--team", team).stdout


def with_cache(workspace: Path, team: str) -> None:
    file = workspace / "k8s" / "teams" / f"{team}.yaml"
    file.write_text(file.read_text() + "\ncache: {kind: alluxio}\n")


def test_what_an_up_wrote_down_and_nobody_holds_any_more_is_removed(
    teamspark: Teamspark, workspace: Path, team: str
) -> None:
    with_cache(workspace, team)
    home = home_of(team, workspace)
    home.mkdir(parents=True)
    facts = {"team": team, "store": "x", "home": str(home), "master": "127.0.0.1:1", "proxy": "http://127.0.0.1:1"}
    (home / "cluster.json").write_text(
        json.dumps(
            {
                **facts,
                "webs": {"master": "http://127.0.0.1:1", "worker": "http://127.0.0.1:1"},
                "tier": str(home / "tier"),
            }
        )
    )
    (home / "tier").mkdir()

    done = teamspark("cache", "status", "--team", team)
    assert done.exit_code == 1
    assert "master, worker, proxy" in done.stdout

    assert not down(home)
    assert known(home) is None
    assert not (home / "tier").exists()


@pytest.mark.parametrize(
    ("cache", "told"),
    [
        ("{kind: redis}", "cache.kind"),
        ("{kind: alluxio, master: 'h:1'}", "master and proxy, or neither"),
        ("{kind: alluxio, master: h, proxy: 'http://h:1'}", "host:port"),
        ("{kind: alluxio, master: 'h:1', proxy: 'http://u:p@h:1'}", "without user"),
        ("{kind: alluxio, memory: 5}", "cache.memory"),
        ("{kind: alluxio, memory: 0Mi}", "512Mi"),
        ("{kind: alluxio, keys: x}", "unknown key"),
    ],
)
def test_a_wrong_cache_in_a_team_file_is_told_with_its_line(
    teamspark: Teamspark, workspace: Path, team: str, cache: str, told: str
) -> None:
    file = workspace / "k8s" / "teams" / f"{team}.yaml"
    file.write_text(file.read_text() + f"\ncache: {cache}\n")

    done = teamspark("cache", "status", "--team", team)

    assert done.exit_code == 64
    assert told in done.stderr
    assert f"{team}.yaml:" in done.stderr

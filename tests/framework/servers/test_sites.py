"""Stores of this machine in place of those that the team files name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from framework.errors import ConfigError, SetupError
from framework.servers import processes
from framework.servers.sites import HOME, opened
from framework.storage.keys import Keys
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams
from framework.tenancy.places import StoreKind
from framework.world import World

FLIGHTS = """\
team: flights
owners: [flights@example.org]  # a comment of the user's
store: {kind: directory, root: nowhere}
reads: ["landing/*"]
grants:
  - {to: insights, read: [flights.daily/ingest]}
"""
INSIGHTS = "team: insights\nowners: [insights@example.org]\nstore: {kind: efs, root: /nowhere, mode: '0750', gid: 5}\n"
MINE, GRANTED, THEIRS = (
    "/insights/insights.daily/winds/x",
    "/flights/flights.daily/ingest/x",
    "/flights/flights.daily/delays/x",
)


@pytest.fixture
def teams(tmp_path: Path) -> Teams:
    folder = tmp_path / "k8s/teams"
    folder.mkdir(parents=True)
    for name, text in (("flights", FLIGHTS), ("insights", INSIGHTS)):
        (folder / f"{name}.yaml").write_text(text)
    return load_teams(tmp_path)


@pytest.mark.parametrize("kind", [StoreKind.directory, StoreKind.efs])
def test_a_folder_takes_the_place_of_every_store_and_nothing_else_changes(teams: Teams, kind: StoreKind) -> None:
    with opened(kind, teams.workspace, teams) as site:
        there = World.of(teams.workspace, site.team_files)
        there.store("flights").put_if_absent(GRANTED, b"1")

    assert {name: team.model_copy(update={"store": None}) for name, team in there.teams.by_name.items()} == {
        name: team.model_copy(update={"store": None}) for name, team in teams.by_name.items()
    }
    assert there.store("insights").kind == kind
    assert (teams.workspace / HOME / kind / "root").joinpath(GRANTED[1:]).read_bytes() == b"1"
    assert (teams.workspace / "k8s/teams/flights.yaml").read_text() == FLIGHTS
    assert site.environment("flights") == {"TEAMSPARK_TEAM_FILES": str(site.team_files)}


def test_a_team_that_is_gone_goes_from_the_site(teams: Teams) -> None:
    with opened(StoreKind.directory, teams.workspace, teams):
        pass
    (teams.workspace / "k8s/teams/insights.yaml").unlink()

    with opened(StoreKind.directory, teams.workspace, load_teams(teams.workspace)) as site:
        assert {file.name for file in site.team_files.iterdir()} == {"flights.yaml"}


def test_an_efs_site_has_the_owner_and_modes_of_one(teams: Teams) -> None:
    with opened(StoreKind.efs, teams.workspace, teams) as site:
        told = yaml.safe_load((site.team_files / "flights.yaml").read_text())["store"]
        World.of(teams.workspace, site.team_files).store("flights").put_if_absent(GRANTED, b"1")

    assert (told["uid"], told["gid"], told["mode"]) == (os.getuid(), os.getgid(), "0750")
    assert Path(told["root"], "flights").stat().st_mode & 0o777 == 0o750


LOOK = """
import os, sys
from pathlib import Path
from framework.errors import TeamsparkError
from framework.storage.base import SlotTaken
from framework.world import World
world = World.of(Path(sys.argv[1]), Path(os.environ["TEAMSPARK_TEAM_FILES"]))
for path in sys.argv[2:]:
    store = world.store(path.split("/")[1])
    for verb in (lambda: store.put_if_absent(path, b"new"), lambda: store.read(path)):
        try:
            print(path, verb())
        except (SlotTaken, TeamsparkError) as error:
            print(path, type(error).__name__)
"""


def seen(environment: dict[str, str], workspace: Path) -> list[str]:
    command = [sys.executable, "-c", LOOK, str(workspace), MINE, GRANTED, THEIRS]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=True)
    return [line.partition(" ")[2] for line in done.stdout.splitlines()]


def test_a_bucket_takes_the_place_of_every_store_and_each_team_has_its_own_keys(teams: Teams) -> None:
    with opened(StoreKind.s3, teams.workspace, teams) as site:
        assert site.credentials is not None
        assert site.keys is not None
        for path in (GRANTED, THEIRS):
            as_flights = World.of(teams.workspace, site.team_files, keys=_keys(site.credentials / "flights.json"))
            as_flights.store("flights").put_if_absent(path, b"old")
        modes = [file.stat().st_mode & 0o777 for file in (site.credentials, *site.credentials.iterdir())]

        as_insights = seen(site.environment("insights"), teams.workspace)
        as_onlooker = seen(site.environment(), teams.workspace)
        with pytest.raises(ConfigError, match="no such team"):
            site.environment("../flights")
        with opened(StoreKind.s3, teams.workspace, teams) as found:
            assert (found.keys, found.team_files, found.server) == (site.keys, site.team_files, None)

    assert modes == [0o700, 0o600, 0o600]
    # Its own: written. Granted: read only. The rest: nothing.
    assert as_insights == ["None", "b'new'", "SetupError", "b'old'", "SetupError", "SetupError"]
    assert as_onlooker == ["SetupError", "b'new'", "SetupError", "b'old'", "SetupError", "b'old'"]
    assert not site.credentials.exists()
    assert site.keys.secret not in "".join(file.read_text() for file in site.team_files.iterdir())

    with opened(StoreKind.s3, teams.workspace, teams) as again:
        world = World.of(teams.workspace, again.team_files, keys=again.keys)
        assert world.store("flights").read(THEIRS) == b"old"
        assert again.keys != site.keys


def _keys(file: Path) -> "Keys":
    found = json.loads(file.read_text())
    return Keys(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])


def test_a_server_that_is_just_starting_is_told(teams: Teams) -> None:
    server = teams.workspace / HOME / "s3/server"
    server.mkdir(parents=True)

    with (
        processes.only_one(server, "it"),
        pytest.raises(SetupError, match="is starting, or stopping"),
        opened(StoreKind.s3, teams.workspace, teams),
    ):
        pass

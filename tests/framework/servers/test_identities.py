"""What each identity of an S3 server of this machine may do, as the team files' grants have it."""

import json
from pathlib import Path

from framework.servers.identities import administrator, of_teams, onlooker, server_config, team_actions
from framework.tenancy.load import load_teams
from framework.tenancy.model import Teams


def teams(place: Path) -> Teams:
    folder = place / "k8s/teams"
    folder.mkdir(parents=True)
    grants = "grants:\n  - {to: insights, read: [flights.daily/ingest, flights.Odd/b c]}\n"
    for name, more in (("flights", grants), ("insights", "")):
        store = "store: {kind: directory, root: x}"
        (folder / f"{name}.yaml").write_text(f"team: {name}\nowners: [a@example.org]\n{store}\n{more}")
    return load_teams(place)


def test_a_team_has_its_bucket_and_what_it_was_granted(tmp_path: Path) -> None:
    found = teams(tmp_path)

    assert team_actions(found, "flights") == tuple(
        f"{verb}:flights-data" for verb in ("Read", "Write", "List", "Tagging")
    )
    assert team_actions(found, "insights")[4:] == (
        "Read:flights-data/flights/flights.daily/ingest/*",
        "List:flights-data/flights/flights.daily/ingest/*",
        # In the path law's own spelling: what is stored there is called so.
        "Read:flights-data/flights/flights.!4fdd/b!20c/*",
        "List:flights-data/flights/flights.!4fdd/b!20c/*",
        "Read:flights-data/flights/flights.daily/ingest",
        "Read:flights-data/flights/flights.!4fdd/b!20c",
    )


def test_only_the_administrator_may_write_everywhere(tmp_path: Path) -> None:
    everywhere = {
        one.name: {action for action in one.actions if ":" not in action}
        for one in (administrator(), onlooker(), *of_teams(teams(tmp_path)))
    }

    assert everywhere == {
        "admin": {"Admin", "Read", "Write", "List", "Tagging"},
        "onlooker": {"Read", "List"},
        "flights": set(),
        "insights": set(),
    }


def test_keys_are_of_one_start_and_never_shown(tmp_path: Path) -> None:
    found = teams(tmp_path)
    first, second = of_teams(found), of_teams(found)

    assert {one.keys for one in first} & {one.keys for one in second} == set()
    assert not any(one.keys.secret in repr(one) for one in first)
    config = json.loads(server_config(first))
    assert [one["credentials"][0]["secretKey"] for one in config["identities"]] == [one.keys.secret for one in first]

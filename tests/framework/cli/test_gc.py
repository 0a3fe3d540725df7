"""``gc``: says what is to be removed, and does exactly that when told to."""

import json
from pathlib import Path
from typing import Any

import pytest

from framework.cache.memory import MemoryCache
from framework.cli.collecting import Line, Sweep, Unreadable, collect
from framework.durations import seconds_of
from framework.identity import Epoch, RunKey
from framework.storage.base import Store
from framework.storage.events import logs_of, put_log
from framework.storage.memory import MemoryStore
from framework.storage.paths import run_path
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog
from framework.tenancy.load import load_teams
from framework.world import World
from tests.framework.cli.conftest import Teamspark
from tests.framework.cli.datasets import Dataset, publish
from tests.framework.storage.clocks import Clocked

RUN = "20130101T000000Z"
ROWS: list[dict[str, Any]] = [{"name": "a", "amount": 1.0}]
GRACE_S = seconds_of("P7D")


@pytest.fixture
def store(workspace: Path) -> DirectoryStore:
    return DirectoryStore(workspace / "store")


@pytest.fixture
def key(team: str) -> RunKey:
    return RunKey(team, f"{team}.daily", "Ingest", RUN)


def claim(store: Store, key: RunKey) -> None:
    """An attempt that wrote a file and was seen no more."""
    attempt = RunLog(store, key).claim(Epoch("incarnation", 1, 1), clear_number=0, who="ann@laptop:1", seen=None)
    store.put_if_absent(f"{attempt.output_dir()}/part-0", b"12345")


def content(store: Store) -> dict[str, bytes | None]:
    return {entry.path: store.read(entry.path) for entry in store.list("/")}


def test_a_dry_run_changes_nothing_and_apply_does_what_it_said(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str
) -> None:
    claim(store, key)
    first, second = publish(store, Dataset(key, ROWS)), publish(store, Dataset(key, ROWS))
    before = content(store)

    dry = json.loads(teamspark("gc", team, "--json").stdout)

    assert content(store) == before
    told = [(step["action"], step["attempt"], step["files"], step["outcome"]) for step in dry["steps"]]
    assert told == [("tombstone", 1, 1, "due"), ("retire", 2, 1, "due")]
    assert (dry["applied"], dry["grace"], dry["unreadable"]) == (False, "P7D", [])
    assert dry["steps"][1]["why"] == f"attempt {second.number} is published"

    done = json.loads(teamspark("gc", team, "--apply", "--json").stdout)

    assert done["applied"]
    assert [{**step, "outcome": "due"} for step in done["steps"]] == dry["steps"]
    assert {step["outcome"] for step in done["steps"]} == {"done"}
    added = content(store).keys() - before.keys()
    assert added == {f"{run_path(key)}/_log/{name}" for name in ("0001.published", "0002.retired")}
    assert {path: content(store)[path] for path in before} == before
    state = RunLog(store, key).state()
    assert (state.newest, state.attempts[1].published) == (second, first)
    assert b"teamspark gc " in (store.read(f"{run_path(key)}/_log/0002.retired") or b"")

    after = json.loads(teamspark("gc", team, "--apply", "--json").stdout)
    assert [(step["action"], step["attempt"], step["outcome"]) for step in after["steps"]] == [
        ("delete", 1, "later"),
        ("delete", 2, "later"),
    ]


def test_people_are_told_what_is_due_and_how_to_go_on(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str
) -> None:
    publish(store, Dataset(key, ROWS))
    assert teamspark("gc").stdout == "0 steps due; 0 files, 0 B to delete\n"
    publish(store, Dataset(key, ROWS))
    claim(store, key)

    done = teamspark("gc")

    head, row, total, later = done.stdout.splitlines()
    assert head.split() == ["action", "run", "attempt", "files", "size", "earliest", "why", "outcome"]
    assert row.split()[:4] == ["retire", str(key), "1", "1"]
    assert total == "1 steps due; 0 files, 0 B to delete"
    assert later.startswith("1 steps later, the first on ")
    assert "do it with --apply" in done.stderr
    assert done.exit_code == 0
    assert teamspark("gc", f"{team}/{team}.daily", "--apply").stdout.splitlines()[-2] == (
        "1 steps done; 0 files, 0 B deleted"
    )


def test_only_what_is_named_is_looked_at(teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str) -> None:
    other = RunKey(team, key.dag_id, "Other", RUN, 3)
    for each in (key, other):
        publish(store, Dataset(each, ROWS))
        publish(store, Dataset(each, ROWS))

    def runs(*places: object) -> list[str]:
        return [step["run"] for step in json.loads(teamspark("gc", *places, "--json").stdout)["steps"]]

    assert runs(other.task) == [str(other)]
    assert runs(key.task, other.task, key.task) == [str(key), str(other)]
    assert runs() == runs(team) == runs(f"{team}/{team}.daily") == [str(key), str(other)]
    assert runs(f"{team}/{team}.weekly") == runs(f"{team}/_local") == []


def test_runs_of_this_machine_are_found_in_their_own_store(teamspark: Teamspark, workspace: Path, team: str) -> None:
    local = DirectoryStore(workspace / ".teamspark/local")
    key = RunKey(team, "_local", "ingest", RUN)
    publish(local, Dataset(key, ROWS))
    publish(local, Dataset(key, ROWS))

    teamspark("gc", f"{team}/_local", "--apply")

    assert local.read(f"{run_path(key)}/_log/0001.retired") is not None
    assert not (workspace / "store").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--grace", "P0D"), 64, "--grace is no duration"),
        (("--grace", "7"), 64, "days or weeks"),
        (("--logs", "0"), 64, "--logs is no duration"),
        (("nobody",), 64, "nobody"),
        (("a/b/c/d",), 64, "not a place of outputs"),
        (("--force",), 2, ""),
    ],
)
def test_what_is_wrong_is_said(teamspark: Teamspark, arguments: tuple[str, ...], code: int, words: str) -> None:
    done = teamspark("gc", *arguments)

    assert done.exit_code == code
    assert words in done.stderr


def test_a_run_that_cannot_be_read_is_left_alone_and_the_others_are_not(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str
) -> None:
    broken = RunKey(team, key.dag_id, "Broken", RUN)
    publish(store, Dataset(broken, ROWS))
    store.put_if_absent(f"{run_path(broken)}/_log/0002.claim", b'{"kind": "claim", "version": 2}')
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(key, ROWS))

    done = teamspark("gc", "--apply", "--json")

    assert done.exit_code == 1
    answer = json.loads(done.stdout)
    assert [(step["run"], step["outcome"]) for step in answer["steps"]] == [(str(key), "done")]
    assert [problem["run"] for problem in answer["unreadable"]] == [str(broken)]
    assert f"left alone: {broken}" in done.stderr
    assert store.read(f"{run_path(broken)}/_log/0001.retired") is None


def test_days_later_the_same_dry_run_and_apply_delete(workspace: Path, key: RunKey, team: str) -> None:
    """The whole life on a store whose clock the test moves, years away from the local one."""
    store, cache = Clocked(MemoryStore()), MemoryCache()
    world = World(load_teams(workspace), lambda _: store, cache=lambda _: cache)

    def due(who: str | None) -> list[tuple[str, int | None, int, int]]:
        found = [line for line in collect(world, (team,), Sweep(GRACE_S, who)) if isinstance(line, Line)]
        return [
            (line.step.action, line.step.attempt, len(line.step.files), line.step.bytes)
            for line in found
            if line.outcome != "later"
        ]

    claim(store, key)
    first, second = publish(store, Dataset(key, ROWS)), publish(store, Dataset(key, ROWS))
    assert due("gc") == [("tombstone", 1, 1, 5), ("retire", 2, 1, first.output().bytes)]
    store.pass_days(7)
    before = content(store)
    cache.warm(store, before, within_s=9)
    wanted = [("delete", 1, 1, 5), ("delete", 2, 1, first.output().bytes)]

    assert due(None) == wanted
    assert content(store) == before
    assert due("gc") == wanted

    gone = before.keys() - content(store).keys()
    assert {path for _, path in cache._held} == before.keys() - gone  # let go of with the data
    assert {path.split("/")[-3].partition("-")[0] for path in gone} == {"a0001", "a0002"}
    assert content(store).keys() < before.keys()
    assert due("gc") == []
    assert RunLog(store, key).newest() == second


def test_a_team_without_outputs_costs_nothing(workspace: Path, team: str) -> None:
    assert list(collect(World.of(workspace), (), Sweep(GRACE_S, "gc"))) == []
    assert not any(isinstance(one, Unreadable) for one in collect(World.of(workspace), (team,), Sweep(GRACE_S)))
    assert not (workspace / "store").exists()


def test_event_logs_go_when_they_are_old_and_sooner_without_their_run(workspace: Path, key: RunKey, team: str) -> None:
    store = Clocked(MemoryStore())
    world = World(load_teams(workspace), lambda _: store)
    unclaimed, epoch = RunKey(team, f"{team}.gone", "x", RUN, 2), Epoch("one", 1, 1)
    publish(store, Dataset(key, ROWS))

    def told(who: str | None, *places: str) -> list[tuple[str, str, int, str]]:
        found = [line for line in collect(world, places or (team,), Sweep(GRACE_S, who)) if isinstance(line, Line)]
        return [(line.step.action, str(line.key), len(line.step.files), line.outcome) for line in found]

    for one in (key, unclaimed):
        put_log(store, one, epoch, b"events")
    wanted = [("forget", str(key), 1), ("forget", str(unclaimed), 1)]
    assert told("gc") == [(*one, "later") for one in wanted]

    store.pass_days(8)
    assert told(None) == [(*wanted[0], "later"), (*wanted[1], "due")]
    assert told("gc", f"{team}/{team}.gone/x") == [(*wanted[1], "done")]
    assert [len(logs_of(store, one)) for one in (key, unclaimed)] == [1, 0]

    store.pass_days(23)
    assert told(None, f"{team}/{team}.gone") == []
    assert told(None) == [(*wanted[0], "due")]
    assert len(logs_of(store, key)) == 1  # a dry run
    assert told("gc") == [(*wanted[0], "done")]
    assert logs_of(store, key) == ()
    assert RunLog(store, key).newest() is not None
    assert [entry.path for entry in store.list(f"/{team}/+events")] == []


def test_people_are_told_of_event_logs_that_go(
    teamspark: Teamspark, store: DirectoryStore, workspace: Path, key: RunKey, team: str
) -> None:
    publish(store, Dataset(key, ROWS))
    put_log(store, key, Epoch("one", 1, 1), b"events")
    local = RunKey(team, "_local", "ingest", RUN)
    put_log(DirectoryStore(workspace / ".teamspark/local"), local, Epoch("one", 1, 1), b"events")

    done = teamspark("gc", team)

    assert done.stdout.splitlines()[0] == "0 steps due; 0 files, 0 B to delete"
    assert done.stdout.splitlines()[1].startswith("2 steps later, ")
    later = json.loads(teamspark("gc", f"{team}/_local", "--json").stdout)
    assert [(step["action"], step["run"]) for step in later["steps"]] == [("forget", str(local))]
    assert later["logs"] == "P30D"

"""``outputs``: what was published is found, told, and compared, in the shared store and in this machine's own."""

import json
from pathlib import Path
from typing import Any

import pytest

from framework.identity import RunKey
from framework.manifest import InputEntry, ReadEntry
from framework.schema.model import Schema
from framework.storage.paths import run_path
from framework.storage.posix import DirectoryStore
from framework.storage.publish import Published, RunLog
from tests.framework.cli.conftest import Teamspark
from tests.framework.cli.datasets import Dataset, publish

RUN = "20130101T000000Z"


@pytest.fixture
def store(workspace: Path) -> DirectoryStore:
    return DirectoryStore(workspace / "store")


@pytest.fixture
def key(team: str) -> RunKey:
    return RunKey(team, f"{team}.daily", "Ingest", RUN)


ROWS: list[dict[str, Any]] = [{"name": "a", "amount": 1.0}, {"name": "b", "amount": None}]


def read_of(published: Published) -> InputEntry:
    """An input entry that says that ``published`` was read."""
    entry = published.output()
    read = ReadEntry(
        path=run_path(published.key),
        attempt=published.number,
        digest=published.digest,
        rows=entry.rows,
        bytes=entry.bytes,
    )
    return InputEntry(port="rows", kind="run", reads=(read,))


def test_tasks_of_a_team_are_listed_with_their_newest_run(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str
) -> None:
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(RunKey(team, key.dag_id, key.task_id, "20130102T000000Z"), ROWS))
    (Path(store.root) / team / "lost+found").mkdir()

    done = teamspark("outputs", "ls", team, "--json")

    task = f"{team}/{team}.daily/Ingest"
    assert json.loads(done.stdout) == [{"task": task, "runs": 2, "newest": "20130102T000000Z"}]
    assert task in teamspark("outputs", "ls", f"{team}/{team}.daily").stdout


def test_runs_of_a_task_are_listed_with_attempt_and_rows(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey
) -> None:
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(key, ROWS[:1]))

    done = teamspark("outputs", "ls", key.task, "--json")

    (run,) = json.loads(done.stdout)
    assert (run["attempt"], run["attempts"], run["outputs"]["default"]["rows"]) == (2, 2, 1)
    assert run["path"] == run_path(key)


def test_each_index_of_a_mapped_task_is_listed(teamspark: Teamspark, store: DirectoryStore, team: str) -> None:
    for index in (0, 1, 10):
        publish(store, Dataset(RunKey(team, f"{team}.daily", "mapped", RUN, index), ROWS))

    done = teamspark("outputs", "ls", f"{team}/{team}.daily/mapped")

    lines = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert lines == [f"{RUN}/map-0", f"{RUN}/map-1", f"{RUN}/map-10"]


def test_nothing_published_is_said(teamspark: Teamspark, team: str) -> None:
    done = teamspark("outputs", "ls", team)

    assert done.exit_code == 0
    assert "nothing published" in done.stdout


def test_a_misspelt_name_is_told_with_the_nearest_that_published(
    teamspark: Teamspark, store: DirectoryStore, team: str
) -> None:
    publish(store, Dataset(RunKey(team, f"{team}.daily", "ingest", RUN), ROWS))

    for wrong, right in ((f"{team}.daily/ingets", f"{team}.daily/ingest"), (f"{team}.dialy", f"{team}.daily")):
        done = teamspark("outputs", "ls", f"{team}/{wrong}")

        assert done.exit_code == 0
        assert done.stdout.endswith(f"; did you mean {team}/{right}?\n")


def test_runs_of_this_machine_are_found_by_their_path(teamspark: Teamspark, workspace: Path, team: str) -> None:
    local = DirectoryStore(workspace / ".teamspark/local")
    key = RunKey(team, "_local", "copy.copy", RUN)
    publish(local, Dataset(key, ROWS))

    listed = teamspark("outputs", "ls", team)
    shown = teamspark("outputs", "show", run_path(key))

    assert f"{team}/_local/copy.copy" in listed.stdout
    assert shown.exit_code == 0
    assert "attempt 1" in shown.stdout


def test_an_attempt_is_shown_with_its_facts(teamspark: Teamspark, store: DirectoryStore, key: RunKey) -> None:
    checks = {"default.amount.ge": 3, "default.name.null": 0}
    published = publish(store, Dataset(key, ROWS, checks=checks, parameters={"by": "carrier"}))

    done = teamspark("outputs", "show", f"{key.task}/2013-01-01")

    for part in (
        published.digest,
        "by=carrier",
        "default.amount.ge: 3",
        "claimed by ann@laptop:1",
        published.directory,
    ):
        assert part in done.stdout
    assert "default.name.null" not in done.stdout


def test_a_run_says_when_its_input_has_a_newer_attempt(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str
) -> None:
    consumer = RunKey(team, f"{team}.daily", "consumer", RUN)
    first = publish(store, Dataset(key, ROWS))
    publish(store, Dataset(consumer, ROWS, inputs=(read_of(first),)))
    fresh = teamspark("outputs", "show", f"{consumer.task}/{RUN}")

    publish(store, Dataset(key, ROWS))
    stale = teamspark("outputs", "show", f"{consumer.task}/{RUN}")
    script = teamspark("outputs", "show", f"{consumer.task}/{RUN}", "--json")

    assert "the newest" in fresh.stdout
    assert "input has attempt 2, I read 1" in stale.stdout
    assert json.loads(script.stdout)["inputs"][0]["stale"] is True


def test_a_retired_input_is_told(teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str) -> None:
    consumer = RunKey(team, f"{team}.daily", "consumer", RUN)
    publish(store, Dataset(consumer, ROWS, inputs=(read_of(publish(store, Dataset(key, ROWS))),)))
    RunLog(store, key).retire(1, who="gc")

    done = teamspark("outputs", "show", f"{consumer.task}/{RUN}")

    assert "retired since" in done.stdout


def test_an_older_attempt_is_shown_by_its_number(teamspark: Teamspark, store: DirectoryStore, key: RunKey) -> None:
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(key, ROWS[:1]))

    done = teamspark("outputs", "show", f"{key.task}/{RUN}@1", "--json")

    told = json.loads(done.stdout)
    assert told["manifest"]["outputs"][0]["rows"] == 2
    assert [one["standing"] for one in told["attempts"]] == ["published", "published"]


@pytest.mark.parametrize("suffix", ["@7", ""])
def test_an_attempt_that_is_not_there_says_what_is(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, suffix: str
) -> None:
    if suffix:
        publish(store, Dataset(key, ROWS))

    done = teamspark("outputs", "show", f"{key.task}/{RUN}{suffix}")

    assert done.exit_code == 64
    assert ("attempt 1 published" if suffix else "no attempt of this run") in done.stderr


def test_a_team_that_is_not_here_is_named(teamspark: Teamspark) -> None:
    done = teamspark("outputs", "ls", "nobody")

    assert done.exit_code == 64
    assert "no such team" in done.stderr


def test_a_manifest_that_was_tampered_with_is_an_error(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey
) -> None:
    publish(store, Dataset(key, ROWS))
    slot = Path(store.root) / run_path(key)[1:] / "_log/0001.published"
    slot.chmod(0o644)
    slot.write_text('{"kind": "manifest"}')

    done = teamspark("outputs", "show", f"{key.task}/{RUN}")

    assert done.exit_code == 65
    assert str(key) in done.stderr
    assert "not a record" in done.stderr


class Other(Schema, key=("name",)):
    """The same dataset after its author changed it."""

    name: str
    amount: int | None
    note: str | None


class Keyless(Schema):
    name: str
    amount: float | None


def diff(teamspark: Teamspark, key: RunKey, *options: str) -> tuple[int, list[dict[str, Any]]]:
    done = teamspark("outputs", "diff", f"{key.task}/{RUN}@1", f"{key.task}/{RUN}@2", "--json", *options)
    return done.exit_code, json.loads(done.stdout)


def test_equal_rows_in_another_order_are_the_same(teamspark: Teamspark, store: DirectoryStore, key: RunKey) -> None:
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(key, ROWS[::-1]))

    code, (told,) = diff(teamspark, key)

    assert (code, told["same"], told["keys"]) == (0, True, None)
    assert told["content"][0] == told["content"][1]


def test_rows_that_differ_are_counted_and_named_by_key_only(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey
) -> None:
    publish(store, Dataset(key, [{"name": name, "amount": 1234.5} for name in "abcdefgh"]))
    publish(store, Dataset(key, [{"name": name, "amount": 1234.5 + (name > "b")} for name in "bcdefghx"]))

    code, (told,) = diff(teamspark, key)
    people = teamspark("outputs", "diff", f"{key.task}/{RUN}@1", f"{key.task}/{RUN}").stdout

    assert code == 1
    assert told["keys"]["changed"] == {"rows": 6, "some": [f"name={name}" for name in "cdefg"]}
    assert told["keys"]["only_first"] == {"rows": 1, "some": ["name=a"]}
    assert told["keys"]["only_second"] == {"rows": 1, "some": ["name=x"]}
    assert "changed: 6 row(s): name=c;" in people
    assert "1234" not in people


def test_another_schema_is_told_column_by_column(teamspark: Teamspark, store: DirectoryStore, key: RunKey) -> None:
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(key, [{"name": "a", "amount": 1}], schema=Other))

    code, (told,) = diff(teamspark, key)

    assert code == 1
    assert told["facts"] == ["column amount: double and bigint", "column note: absent and string"]
    assert (told["content"], told["rows"]) == (None, [2, 1])


def test_counts_of_checks_are_compared(teamspark: Teamspark, store: DirectoryStore, key: RunKey) -> None:
    publish(store, Dataset(key, ROWS, checks={"default.amount.le": 0, "default.name.null": 0}))
    publish(store, Dataset(key, ROWS, checks={"default.amount.le": 2}))

    code, (told,) = diff(teamspark, key)

    assert code == 1
    assert told["facts"] == [
        "check default.amount.le: 0 row(s) and 2 row(s)",
        "check default.name.null: 0 row(s) and not measured",
    ]


def test_without_a_key_the_content_is_compared_all_the_same(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey
) -> None:
    publish(store, Dataset(key, ROWS, schema=Keyless))
    publish(store, Dataset(key, ROWS[:1], schema=Keyless))

    code, (told,) = diff(teamspark, key)

    assert (code, told["keys"]) == (1, None)
    assert told["notes"] == ["no keys to name: the schema declares none"]


def test_an_output_that_only_one_has(teamspark: Teamspark, store: DirectoryStore, key: RunKey) -> None:
    publish(store, Dataset(key, ROWS))
    publish(store, Dataset(key, ROWS, output="rejects"))

    code, told = diff(teamspark, key)
    one, (rejects,) = diff(teamspark, key, "--output", "rejects")

    assert (code, one) == (1, 1)
    assert [each["output"] for each in told] == ["default", "rejects"]
    assert rejects["facts"] == [f"only {key}@2 has this output"]


def test_a_file_that_changed_after_publish_is_found(teamspark: Teamspark, store: DirectoryStore, key: RunKey) -> None:
    publish(store, Dataset(key, ROWS))
    second = publish(store, Dataset(key, ROWS))
    (path,) = second.paths()
    store.local(path).write_bytes(b"short")

    done = teamspark("outputs", "diff", f"{key.task}/{RUN}@1", f"{key.task}/{RUN}@2")

    assert done.exit_code == 65
    assert "part-0.parquet" in done.stderr


def test_runs_of_this_machine_are_compared_with_the_shared_ones(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, workspace: Path, team: str
) -> None:
    here = RunKey(team, "_local", "copy.copy", RUN)
    publish(store, Dataset(key, ROWS))
    publish(DirectoryStore(workspace / ".teamspark/local"), Dataset(here, ROWS))

    done = teamspark("outputs", "diff", run_path(key), run_path(here))

    assert (done.exit_code, done.stdout) == (0, "default: the same\n")


def test_without_a_place_the_teams_that_have_published_are_listed(
    teamspark: Teamspark, store: DirectoryStore, key: RunKey, team: str
) -> None:
    none = teamspark("outputs", "ls")
    publish(store, Dataset(key, ROWS))

    assert (none.exit_code, "nothing published" in none.stdout, team in none.stdout) == (0, True, True)
    assert json.loads(teamspark("outputs", "ls", "--json").stdout) == [{"team": team, "tasks": 1}]
    assert team in teamspark("outputs", "ls").stdout


def test_nothing_is_told_with_the_store_that_was_looked_at(teamspark: Teamspark, workspace: Path, team: str) -> None:
    shared, local = str(workspace / "store"), str(workspace / ".teamspark/local")

    told = {place: teamspark("outputs", "ls", place).stdout for place in (f"{team}/_local", f"{team}/{team}.x", team)}

    assert [(local in one, shared in one) for one in told.values()] == [(True, False), (False, True), (True, True)]


def test_a_line_break_in_an_id_makes_no_second_row(teamspark: Teamspark, store: DirectoryStore, team: str) -> None:
    publish(store, Dataset(RunKey(team, f"{team}.daily", "one\nother/\x1b[31m", RUN), ROWS))

    lines = teamspark("outputs", "ls", team).stdout.splitlines()

    assert len(lines) == 2
    assert "one\\nother/\\x1b[31m" in lines[1]

"""Programs between the two steps: what they are given, what they may leave, and what is published of it."""

import json
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import pytest
from annotated_types import Ge

from framework import Contract, Frame, Schema
from framework.config import DataMode
from framework.container.contract import untyped
from framework.container.found import _below
from framework.container.laptop import here
from framework.errors import CheckFailed, InputCorrupt, ProgramFailed, SchemaMismatch, SetupError
from framework.identity import RunKey
from framework.job import contract_of
from framework.storage.memory import MemoryStore
from framework.storage.publish import RunLog
from tests.framework.container.ground import GOOD, IMAGE, Flight, Ground, Score, Trained

KEY = RunKey("flights", "flights.daily", "score", "20130101T000000Z")
SCORES = [{"carrier": "AA", "score": 3.0}, {"carrier": "UA", "score": 0.0}]


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


@pytest.mark.parametrize("data", ["copy", "volume", "uri"])
def test_a_program_reads_and_writes_whichever_way_it_is_given_data(tmp_path: Path, data: DataMode) -> None:
    ground = Ground(tmp_path, data)
    read = ground.published()

    result = ground.run(GOOD)

    assert (result.verdict, result.outputs["default"].rows, result.rows_read) == ("published", 2, 2)
    assert {"plan", "stage", "program", "verify", "claim", "publish"} <= set(result.seconds)
    assert ground.rows() == SCORES
    published = RunLog(ground.store, KEY).newest()
    assert published is not None
    manifest = published.manifest
    assert manifest.inputs[0].reads[0].digest == read.digest
    assert manifest.contract == contract_of(Score).hash
    assert manifest.producer["image"] == IMAGE


def test_in_a_store_without_folders_everything_is_copied(tmp_path: Path) -> None:
    ground = Ground(tmp_path, "copy", MemoryStore())
    ground.published()

    ground.run(GOOD)

    assert ground.rows() == SCORES


def test_the_folder_of_an_input_holds_exactly_the_published_files(ground: Ground) -> None:
    published = ground.published()
    beside = Path(str(ground.store.readable(f"{published.output_dir()}/left-over.parquet")))
    beside.write_bytes(b"of a try that was killed")

    ground.run(
        "import sys\nassert [p.name for p in pathlib.Path(told['inputs']['flights']['path']).iterdir()] == ['part-0.parquet']\n"
        + GOOD.replace("\n    ", "\n")
    )

    assert ground.rows() == SCORES


def test_a_program_is_told_of_its_run_and_its_parameters(ground: Ground) -> None:
    ground.published()
    ground.run(
        """
        assert told["run"]["logical_date"].startswith("2013-01-01"), told
        assert told["inputs"]["flights"]["columns"] == {"carrier": "string", "delay": "int"}
        assert told["outputs"]["default"]["columns"] == {"carrier": "string", "score": "double"}
        assert os.environ["TEAMSPARK_INPUT_FLIGHTS"] == told["inputs"]["flights"]["path"]
        assert os.environ["TEAMSPARK_OUTPUT_DEFAULT"] == told["outputs"]["default"]["path"]
        """
        + GOOD.replace("\n    ", "\n        ")
    )

    assert ground.rows() == SCORES


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("scores.csv", "score,carrier\\n3,AA\\n0,UA\\n"),
        ("scores.jsonl", json.dumps(SCORES[0]) + "\\n" + json.dumps(SCORES[1]) + "\\n"),
    ],
)
def test_text_of_simple_tools_is_typed(ground: Ground, name: str, text: str) -> None:
    ground.published()

    ground.run(f"(out() / {name!r}).write_text({text.replace(chr(92) + 'n', chr(10))!r})")

    assert ground.rows() == SCORES


BAD = {
    "nothing": ("pass", "wrote nothing"),
    "a link": ("(out() / 'x.parquet').symlink_to('/etc/hostname')", "x.parquet: a link"),
    "a name of two lines": ("(out() / 'a\\nb.csv').write_text('x')", "a\\nb.csv: a name with"),
    "a backslash": ("(out() / 'a\\\\b.csv').write_text('x')", "b.csv: a name with"),
    "a name that is no text": ("open(os.fsencode(str(out())) + b'/a\\xff.csv', 'w').close()", "a\\udcff.csv: a name with"),
    "a pipe": ("os.mkfifo(out() / 'x.parquet')", "x.parquet: no plain file"),
    "half a file": ("(out() / 'x.parquet').write_bytes(b'PAR1 and no more')", "x.parquet: "),
    "no folder": ("out().rmdir()", "wrote nothing"),
    "no file at all": ("out('default')", "wrote nothing"),
    "another kind": ("(out() / 'x.xlsx').write_bytes(b'PK')", "x.xlsx"),
    "a column less": ("write('default', pa.table({'carrier': ['AA']}))", "score: missing, expected double"),
    "a column more": (
        "write('default', pa.table({'carrier': ['AA'], 'score': [1.0], 'x': [1]}))",
        "x: not declared",
    ),
    "another type": ("write('default', pa.table({'carrier': ['AA'], 'score': ['1']}))", "score: is string, expected double"),
    "text with a bad number": ("(out() / 'x.csv').write_text('carrier,score\\nAA,much\\n')", "x.csv: "),
    "text without its header": ("(out() / 'x.csv').write_text('AA,1.0\\n')", "the header lacks carrier, score"),
    "an object too wide": ("(out() / 'x.jsonl').write_text('{\"carrier\": \"AA\", \"score\": 1, \"y\": 2}\\n')", "unexpected"),
}  # fmt: skip


@pytest.mark.parametrize("why", BAD)
def test_what_a_program_may_not_leave(ground: Ground, why: str) -> None:
    body, told = BAD[why]
    ground.published()

    with pytest.raises(SchemaMismatch) as caught:
        ground.run(body)

    assert told in str(caught.value)
    assert RunLog(ground.store, KEY).seen() == frozenset(), "not even a claim is left"


def test_witness_a_folder_is_walked_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/token").write_text("x")
    (tmp_path / "out").symlink_to(tmp_path / "victim")

    assert [one.name for one in _below(tmp_path / "out", "", [])] == ["token"]


def test_names_that_are_taken_for_markers_are_told(ground: Ground) -> None:
    ground.published()
    body = "for name in ('model.bin', '.hidden', '_cache/x', 'code/__init__.py'):\n    (out() / name).parent.mkdir(exist_ok=True); (out() / name).write_text('x')"

    done = ground.run(body, Trained)

    assert done.outputs["default"].files == 1
    if ground.data != "uri":
        (told,) = done.warnings
        assert "3 name(s) left out" in told
        assert told.endswith(".hidden, _cache, code/__init__.py")


@pytest.mark.parametrize("above", [False, True])
def test_a_folder_that_became_a_link_leads_nowhere(ground: Ground, *, above: bool) -> None:
    """To what the step after the program may read, and the program may not: nothing of it is published, or moved away."""
    ground.published()
    victim = ground.root / "victim" / "default"
    victim.mkdir(parents=True)
    (victim / "token.csv").write_text("carrier,score\nAA,1.0\n")
    body = """
        folder = out().parent if ABOVE else out()
        shutil.rmtree(folder)
        folder.symlink_to(pathlib.Path("victim").absolute() / ("" if ABOVE else "default"))
    """

    with pytest.raises(SchemaMismatch, match="the folder of output 'default' is a link"):
        ground.run(f"import shutil\nABOVE = {above}\n" + textwrap.dedent(body))

    assert (victim / "token.csv").exists()
    assert RunLog(ground.store, KEY).newest() is None


def test_a_null_that_nobody_declared_is_found(ground: Ground) -> None:
    ground.published()

    with pytest.raises(CheckFailed) as caught:
        ground.run("write('default', pa.table({'carrier': ['AA', None], 'score': [1.0, 2.0]}))")

    assert caught.value.failed == {"default.carrier.null": 1}


class Keyed(Schema, key=("carrier",)):
    carrier: str
    score: Annotated[float, Ge(0)]


class ScoreByKey(Contract):
    def transform(self, flights: Frame[Flight]) -> Frame[Keyed]: ...


def test_rows_that_break_a_check_are_told_by_their_keys(ground: Ground) -> None:
    ground.published()

    with pytest.raises(CheckFailed) as caught:
        ground.run(
            "write('default', pa.table({'carrier': ['AA', 'UA', 'DL', 'DL', 'DL'], 'score': [-1.0, 2.0, float('nan'), 3.0, 4.0]}))",
            ScoreByKey,
        )

    assert caught.value.failed == {"default.score.ge": 2, "default.key": 2}
    assert "default.score.ge: 2 row(s), such as carrier=AA; carrier=DL" in str(caught.value)
    assert "default.key: 2 row(s), such as carrier=DL" in str(caught.value)


def test_a_port_that_nobody_typed_is_told_what_was_published(ground: Ground) -> None:
    ground.published()
    around = ground.around(untyped(IMAGE, ("flights",), ("default",)), ground.config({"flights": "raw"}))

    around.prepare()

    told = json.loads(ground.layout.config.read_text())["inputs"]["flights"]
    assert told["columns"] == {"carrier": "string", "delay": "int"}


def test_files_of_one_stem_are_two_files(ground: Ground) -> None:
    ground.published()

    ground.run(
        "(out() / 'a.csv').write_text('carrier,score\\nAA,1\\n')\n"
        '(out() / \'a.jsonl\').write_text(\'{"carrier": "UA", "score": 2}\\n\')\n'
    )

    assert sorted(row["carrier"] for row in ground.rows()) == ["AA", "UA"]


def test_a_cell_may_hold_lines_wherever_a_block_ends(ground: Ground) -> None:
    ground.published()

    ground.run("(out() / 'a.csv').write_text('carrier,score\\n' + '\"A\\nB\",1\\n' * 2_500_000)")

    assert len(ground.rows()) == 2_500_000
    assert {row["carrier"] for row in ground.rows()[-10:]} == {"A\nB"}


@pytest.mark.parametrize("lines", ["null", '{"carrier": "A", "score": 1}\nnull', '{"carrier": "A", "score": 1}\n[1]'])
def test_lines_that_are_no_objects_are_told(ground: Ground, lines: str) -> None:
    ground.published()

    with pytest.raises(SchemaMismatch, match=f"line {1 + lines.count(chr(10))} is no object"):
        ground.run(f"(out() / 'a.jsonl').write_text({lines!r})")


def test_blank_lines_are_no_rows(ground: Ground) -> None:
    ground.published()

    ground.run("(out() / 'a.jsonl').write_text('\\n\\n')\n(out() / 'b.jsonl').write_text('')")

    assert ground.rows() == []


@pytest.mark.parametrize("contract", ["key", "plain"])
def test_a_file_whose_content_is_broken_is_told(ground: Ground, contract: str) -> None:
    """Its footer is whole."""
    ground.published()
    body = """
    pq.write_table(pa.table({"carrier": ["AA"] * 500, "score": [1.0] * 500}), out() / "a.parquet", write_statistics=False)
    content = bytearray((out() / "a.parquet").read_bytes())
    content[4:100] = bytes(96)
    (out() / "a.parquet").write_bytes(content)
    """

    with pytest.raises(SchemaMismatch, match="no whole Parquet file"):
        ground.run(textwrap.dedent(body), ScoreByKey if contract == "key" else Score)


def test_who_knows_a_file_by_another_name_does_not_change_what_is_published(ground: Ground) -> None:
    ground.published()
    kept = ground.root / "kept.bin"
    kept.write_bytes(b"weights")

    ground.run(f"import os; os.link({str(kept)!r}, out() / 'model.bin')", Trained)
    kept.write_bytes(b"others")

    published = RunLog(ground.store, KEY).newest()
    assert published is not None
    assert ground.store.read(published.paths()[0]) == b"weights"


def test_what_a_program_has_started_ends_with_it(ground: Ground) -> None:
    ground.published()
    body = """
    import subprocess
    file = (out() / "model.bin").open("wb")
    file.write(b"weights"); file.flush()
    child = subprocess.Popen(["sh", "-c", "sleep 2; echo late >&3; sleep 600"], pass_fds=(), stdout=file, preexec_fn=lambda: os.dup2(file.fileno(), 3), close_fds=False)
    pathlib.Path("child").write_text(str(child.pid))
    """

    ground.run(textwrap.dedent(body), Trained)

    assert not Path(f"/proc/{(ground.root / 'child').read_text()}/cwd").exists()
    published = RunLog(ground.store, KEY).newest()
    assert published is not None
    assert ground.store.read(published.paths()[0]) == b"weights"


OVERWRITES = """
    for name in told["inputs"]["flights"]["files"]:
        (pathlib.Path(told["inputs"]["flights"]["path"]) / name).write_bytes(b"overwritten")
"""


@pytest.mark.parametrize(("data", "damaged"), [(here("volume"), False), ("volume", True)], ids=["copied", "witness"])
def test_on_one_machine_a_program_does_not_reach_what_is_published(
    tmp_path: Path, data: DataMode, *, damaged: bool
) -> None:
    """It runs as who owns the files: a link is no wall."""
    ground = Ground(tmp_path, data)
    file = Path(str(ground.store.readable(ground.published().paths()[0])))

    ground.run(GOOD + OVERWRITES)

    assert (file.read_bytes() == b"overwritten") is damaged


def test_a_program_that_fails_publishes_nothing(ground: Ground) -> None:
    ground.published()

    with pytest.raises(ProgramFailed) as caught:
        ground.run(GOOD + "\n    raise SystemExit(3)\n".replace("\n    ", "\n"))

    assert "exit code 3" in str(caught.value)
    assert RunLog(ground.store, KEY).newest() is None


def test_a_program_that_is_not_there_is_told(ground: Ground) -> None:
    from framework.container.laptop import Command, locally

    ground.published()
    around = ground.around(contract_of(Score), ground.config({"flights": "raw"}))

    with pytest.raises(SetupError, match="cannot be started"):
        locally(around, Command(("/no/such/program",), ground.root, {}))


def test_files_go_from_program_to_program(ground: Ground) -> None:
    ground.published()
    ground.run("(out() / 'deep').mkdir(); (out() / 'deep' / 'model.bin').write_bytes(b'weights')", Trained)
    config = ground.config({"model": "score"}, task="used")
    around = ground.around(untyped(IMAGE, ("model",), ("default",)), config)

    assert around.prepare() is None

    assert (ground.layout.input("model") / "deep" / "model.bin").read_bytes() == b"weights"


def test_files_that_changed_since_they_were_published_are_found(ground: Ground) -> None:
    ground.published()
    ground.run("(out() / 'model.bin').write_bytes(b'weights')", Trained)
    published = RunLog(ground.store, KEY).newest()
    assert published is not None
    Path(str(ground.store.readable(published.paths()[0]))).write_bytes(b"WEIGHTS")
    around = ground.around(untyped(IMAGE, ("model",), ("default",)), ground.config({"model": "score"}, task="used"))

    with pytest.raises(InputCorrupt, match="not what their manifest says"):
        around.prepare()


def test_a_program_is_not_run_again_once_its_run_has_published(ground: Ground) -> None:
    ground.published()
    ground.run(GOOD)

    again = ground.next_try().run("raise SystemExit('it ran again')")

    assert again.verdict == "resumed"
    assert again.attempt == 1


def test_inputs_that_are_larger_than_the_disk_are_refused_before_they_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    ground = Ground(tmp_path, "copy")
    ground.published()
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10))

    with pytest.raises(SetupError, match="larger than the folder"):
        ground.run(GOOD)


def test_inputs_that_a_pod_would_be_ended_for_are_refused_before_they_are_copied(tmp_path: Path) -> None:
    ground = Ground(tmp_path, "copy")
    entry = ground.published().output()
    around = ground.around(contract_of(Score), ground.config({"flights": "raw"}))

    with pytest.raises(SetupError, match="larger than the folder"):
        replace(around, room=entry.bytes - 1).prepare()
    assert not around.layout.root.exists()

    replace(around, room=entry.bytes).prepare()
    assert len(list(around.layout.input("flights").iterdir())) == 1


def test_rows_are_not_files(ground: Ground) -> None:
    from framework.errors import DefinitionError

    ground.published()
    ground.run("(out() / 'model.bin').write_bytes(b'weights')", Trained)
    around = ground.around(contract_of(Score), ground.config({"flights": "score"}, task="used"))

    with pytest.raises(DefinitionError, match="its producer published files"):
        around.prepare()


def test_two_attempts_of_files_are_compared_file_by_file(ground: Ground) -> None:
    from framework.cli.differences import Side, differences

    ground.published()
    log = RunLog(ground.store, KEY)
    found = []
    for number, text in enumerate(("b'weights'", "b'weights'", "b'WEIGHTS'"), 1):
        again = Ground(ground.root, epoch=ground.epoch.__class__(str(number) * 16, 1, 1))
        again.run(f"(out() / 'model.bin').write_bytes({text})", Trained)
        newest = log.newest()
        assert newest is not None
        found.append(Side(ground.store, newest))

    (same,) = differences(found[0], found[1])
    (other,) = differences(found[0], found[2])

    assert same.same
    assert not other.same
    assert "file default/model.bin is another" in next(other.lines())

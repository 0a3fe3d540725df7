"""Hand-offs: sizes, crossings, what is told of a process; and one whole hand-off without a server."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.handover.asking import Runs, limit_told, note_of
from benchmarks.handover.contracts import make_template
from benchmarks.handover.memory import AT_MOST, NOW, resident
from benchmarks.handover.order import Clock, Done, Order
from benchmarks.handover.place import Place
from benchmarks.handover.sizes import SIZES, SMALL, Size, crossing, crossing_told, told
from benchmarks.hotcold.profiles import Profile
from benchmarks.processes import ROOT
from framework.storage.s3client import Bucket

MIB = 1 << 20


@pytest.mark.parametrize(
    ("behind", "found"),
    [
        ([(10, 3.0), (20, 1.0)], None),
        ([(10, 3.0), (20, 0.0)], None),
        ([(10, 3.0), (20, -1.0)], 17.5),
        ([(10, 0.0), (20, -1.0)], 10.0),
        ([(10, -1.0), (20, -2.0)], 10.0),
        ([(10, -1.0), (20, 1.0), (40, -1.0)], 30.0),  # ahead, behind, and ahead for good
        ([(10, -1.0), (20, 1.0)], None),
        ([], None),
    ],
)
def test_one_way_is_quicker_from_where_it_went_ahead_for_good(
    behind: list[tuple[int, float]], found: float | None
) -> None:
    assert crossing(behind) == found


@pytest.mark.parametrize(
    ("behind", "sentence"),
    [
        ([(16 * MIB, 2.0), (1024 * MIB, 9.0)], "a quicker than b: at no size up to 1 GiB"),
        ([(16 * MIB, 2.0), (1024 * MIB, -2.0)], "a quicker than b: from about 520 MiB on"),
        ([(16 * MIB, -2.0), (1024 * MIB, -2.0)], "a quicker than b: at every size from 16 MiB on"),
    ],
)
def test_a_crossing_is_told(behind: list[tuple[int, float]], sentence: str) -> None:
    assert crossing_told("a", "b", behind) == sentence


def test_sizes_are_whole_files_of_whole_rows() -> None:
    for size in (*SIZES, *SMALL):
        assert size.bytes % (32 * size.files) == 0
    assert [str(size) for size in SIZES] == ["16 MiB in 1 file", "128 MiB in 4 files", "1 GiB in 8 files"]
    assert told(1.5 * 1024 * MIB) == "1.5 GiB"


def test_a_profile_without_limits_has_none() -> None:
    region = Profile.named("region")

    assert list(limit_told(Profile.named("lan"), SIZES[0])) == []
    assert list(limit_told(region, Size(250_000_000, 1, 1))) == ["the least that the profile allows: 2.06 s"]


DONE = Done(2.0, {"send": 0.5, "read": 1.5}, 1.0, 100 * MIB, {"send": 120 * MIB, "read": 150 * MIB}, 160 * MIB)


def test_what_a_process_tells_comes_back_as_it_was() -> None:
    order = Order("copy", "/a", "/t", 4, 100, "http://127.0.0.1:1", "b", "r", 1.5)

    assert Done.of_json(DONE.to_json()) == DONE
    assert Order.of_json(order.to_json()) == order
    assert order.left == Path("/a/first/out/default")


def test_parts_and_memory_are_medians() -> None:
    found = note_of([DONE, replace(DONE, parts={"send": 0.7, "read": 1.5}), replace(DONE, peak=170 * MIB)])

    assert found == "send 0.50 s (120 MiB), read 1.50 s (150 MiB); at most 160 MiB, 100 MiB before; start 1.0 s"


def test_starts_are_counted_by_the_process_and_differences_by_the_round() -> None:
    place = Place(Path("/a"), Bucket("b"), Bucket("b"))
    slow = [replace(DONE, seconds=seconds, start_s=5.0) for seconds in (3.0, 9.0, 4.0)]
    runs = Runs(place, SIZES[0], {"slow": slow, "quick": [DONE] * 3})

    assert runs.seconds(("slow", "absent"), starts=2) == {"slow": (13.0, 19.0, 14.0)}
    assert runs.behind("slow", "quick") == 2.0
    assert runs.behind("slow", "quick", starts=2) == 10.0


def test_the_clock_stops_when_all_was_read() -> None:
    clock = Clock()
    with clock.part("read"):
        pass
    read = time.monotonic()

    first = clock.end(read)
    time.sleep(0.01)

    assert clock.end() == first == read - clock.started
    assert set(clock.parts) == set(clock.peaks) == {"read"}


def test_memory_is_that_of_a_process_and_of_those_it_started() -> None:
    alone = resident(NOW)
    with subprocess.Popen(
        [sys.executable, "-c", "held = bytearray(60 << 20); print(flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdout is not None
        child.stdout.readline()
        both, most = resident(NOW), resident(AT_MOST)
        child.communicate(b"\n")

    assert both - alone > 50 * MIB
    assert most >= both


@pytest.mark.parametrize("subject", ["volume", "disk alone"])
def test_a_hand_off_in_a_process_of_its_own(tmp_path: Path, subject: str) -> None:
    (tmp_path / "own").mkdir()
    make_template(tmp_path / "t.parquet", 1000)
    order = Order(subject, str(tmp_path / "own"), str(tmp_path / "t.parquet"), 3, 3000, "", "", "", time.time())

    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.handover.one", order.to_json()],
        check=True, capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip

    told = Done.of_json(done.stdout)
    assert "read" in told.parts
    assert 0 < sum(told.parts.values()) <= told.seconds
    assert told.before <= told.peak

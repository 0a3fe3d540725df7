"""What may be removed, as a table: a run as it is, and every step with its moment."""

from dataclasses import replace

import pytest

from framework.manifest import Manifest
from framework.storage.base import Entry
from framework.storage.memory import MemoryStore
from framework.storage.retention import AttemptFacts, RunFacts, Slot, Step, Stray, forgets, keep_of, steps_of
from tests.framework.storage.tries import KEY, Try, manifest_of, quick_log

GRACE = 7
FILES = (Entry("/part-0", 5, 1.0), Entry("/_SUCCESS", 0, 2.0))


def attempt(
    number: int, slot: Slot = "published", *, held: bool = False, claimed: float | None = -1, **moments: float | None
) -> AttemptFacts:
    """Claimed on the day of its number, all in days."""
    facts = AttemptFacts(number, slot, float(number) if claimed == -1 else claimed, files=FILES, held=held)
    return replace(facts, **moments)  # type: ignore[arg-type]  # moments are


CASES: dict[str, tuple[tuple[AttemptFacts, ...], list[tuple[str, int, float]]]] = {
    "nothing at all": ((), []),
    "the newest, kept for good": ((attempt(1, taken=2),), []),
    "the newest, kept for a time": ((attempt(1, taken=2, keep_s=30),), [("retire", 1, 32)]),
    "superseded when the next higher is published": (
        (attempt(1, taken=2), attempt(2, taken=10), attempt(3, taken=20)),
        [("retire", 1, 10), ("retire", 2, 20)],
    ),
    "superseded by one that finished first": ((attempt(1, taken=9), attempt(2, taken=5)), [("retire", 1, 5)]),
    "superseded by one that is retired": (
        (attempt(1, taken=2), attempt(2, taken=5, retired=9)),
        [("retire", 1, 5), ("delete", 2, 16)],
    ),
    "superseded goes before its keep has passed": (
        (attempt(1, taken=2, keep_s=300), attempt(2, taken=5)),
        [("retire", 1, 5)],
    ),
    "superseded, and a table has its rows": ((attempt(1, taken=2, held=True), attempt(2, taken=5)), []),
    "retired by hand, and a table has its rows": ((attempt(1, taken=2, retired=5, held=True),), []),
    "held below one that is not": (
        (attempt(1, taken=2, held=True), attempt(2, taken=5), attempt(3, taken=6)),
        [("retire", 2, 6)],
    ),
    "retired": ((attempt(1, taken=2, retired=5), attempt(2, taken=5)), [("delete", 1, 12)]),
    "retired, nothing newer": ((attempt(1, taken=2, retired=5),), [("delete", 1, 12)]),
    "running": ((attempt(1, taken=2), attempt(2, "open")), [("tombstone", 2, 9)]),
    "running below a published one": ((attempt(1, "open"), attempt(2, taken=3)), [("tombstone", 1, 8)]),
    "running below one that is retired: closed by that": (
        (attempt(1, "open"), attempt(2, taken=2.5), attempt(3, taken=4)),
        [("tombstone", 1, 4), ("retire", 2, 4)],
    ),
    "running below one that outlives its keep later": (
        (attempt(1, "open"), attempt(2, taken=3, keep_s=100)),
        [("tombstone", 1, 8), ("retire", 2, 103)],
    ),
    "tombstoned": ((attempt(1, "tombstoned", taken=8), attempt(2, taken=3)), [("delete", 1, 15)]),
    "tombstoned and covered by a retirement: from the tombstone on": (
        (attempt(1, "tombstoned", taken=8, retired=3),),
        [("delete", 1, 15)],
    ),
    "open and covered: not deleted before it is closed": ((attempt(1, "open", retired=3),), [("tombstone", 1, 8)]),
    "listings that lag: no step without a moment": (
        (
            attempt(1, taken=1),
            attempt(2, taken=None),
            attempt(3, "open", claimed=None),
            attempt(4, "tombstoned", taken=None),
            attempt(5, taken=None, keep_s=3),
        ),
        [],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_to_be_done_and_when(case: str) -> None:
    attempts, wanted = CASES[case]

    steps = steps_of(RunFacts(attempts), GRACE)

    assert [(step.action, step.attempt, step.due) for step in steps] == wanted
    assert all((step.files, step.bytes) == (FILES, 5) for step in steps)
    assert all(step.why for step in steps)


def test_without_files_there_is_nothing_to_delete() -> None:
    gone = AttemptFacts(1, "published", 1.0, 2.0, retired=3.0)

    assert steps_of(RunFacts((gone,), (Stray("/x", ()),)), GRACE) == ()


def test_a_stray_is_as_old_as_its_youngest_file() -> None:
    (step,) = steps_of(RunFacts((), (Stray("/run/a0009-00000000", FILES),)), GRACE)

    assert step == Step("delete", None, 9.0, "no claim names /run/a0009-00000000", FILES)


def manifest(*keeps: str | None) -> Manifest:
    attempt_ = quick_log(MemoryStore(), KEY).claim(Try.of(1).epoch, clear_number=0, who="a test", seen=None)
    made = manifest_of(attempt_, b"rows")
    outputs = tuple(one.model_copy(update={"keep": keep}) for one, keep in zip(made.outputs, keeps, strict=False))
    return made.model_copy(update={"outputs": outputs})


@pytest.mark.parametrize(
    ("keeps", "days"),
    [(("P30D", "P1W"), 30), (("P1D", "P1W"), 7), (("P1D", None), None), ((None, None), None), ((), None)],
)
def test_an_attempt_is_kept_as_long_as_its_longest_output(keeps: tuple[str | None, ...], days: int | None) -> None:
    assert keep_of(manifest(*keeps)) == (None if days is None else days * 86_400)


@pytest.mark.parametrize(
    ("gone", "keep", "due", "why"),
    [
        (False, 30, 31, "an event log, kept as long as event logs are"),
        (True, 30, 8, "an event log of a run that has no records"),
        (True, 3, 4, "an event log, kept as long as event logs are"),
    ],
)
def test_an_event_log_goes_by_its_age_and_sooner_without_its_run(gone: bool, keep: float, due: float, why: str) -> None:
    log = Entry("/log", 5, 1.0)

    assert forgets(log, gone=gone, keep_s=keep, grace_s=GRACE) == Step("forget", None, due, why, (log,))

"""The one decision: from all that was seen of a run to one cause.

Believed first is what a machine says of the driver, then what ended the executors where the driver only tells that it lost
them, then the texts of Spark, and exit codes last: they are the least that is known.
"""

from collections.abc import Iterator
from typing import Final

from framework.diagnosis.ends import CODES, OURS, REASONS, Meaning, code_of
from framework.diagnosis.evidence import Diagnosis, End, Evidence, Reason, Side
from framework.diagnosis.remedies import remedy
from framework.diagnosis.signs import CODE, LOST, NO_ANSWER, OOM, first_sign, side_of
from framework.errors import clip
from framework.masking import safe

_SHOWN: Final = 300
_LOST: Final = Meaning("executor lost", "executors were lost", "lines", again=True)
_GONE: Final = Meaning("jvm gone", "Spark's JVM was gone before its work was done", "lines", again=True)


def diagnose(evidence: Evidence) -> Diagnosis | None:
    """The cause that is believed; None when nothing known was seen."""
    return next(_causes(evidence), None)


def _causes(evidence: Evidence) -> Iterator[Diagnosis]:
    if evidence.driver.reason is not None:
        yield _machines(evidence.driver, "driver", evidence)
    yield from _of_text(evidence.error, evidence)
    if evidence.jvm is not None:
        yield from _of_code(End(evidence.jvm), "driver", evidence)
        yield _made(_GONE, "driver", _ended(End(evidence.jvm)), evidence)
    if NO_ANSWER.search(evidence.error):
        yield _made(_GONE, "driver", "it does not answer", evidence)
    yield from _of_text(evidence.log, evidence)
    if not evidence.error:
        yield from _of_code(evidence.driver, "driver", evidence, ours=True)
        yield from _of_executors(evidence)


def _of_text(text: str, evidence: Evidence) -> Iterator[Diagnosis]:
    """What Spark says; of executors that were lost, what the machine says of them."""
    side = side_of(text)
    lost = LOST.search(text)
    found = first_sign(text)
    if found is not None:
        sign, seen = found
        if sign.kind == "python worker":
            yield from _of_reasons(evidence)
        yield _made(Meaning(sign.kind, sign.cause, sign.remedy, sign.again), side, seen, evidence)
    if lost is not None:
        yield from _of_executors(evidence)
        if oom := OOM.search(text, lost.start()):
            yield _machines(End(None, Reason.MEMORY, oom[0]), "executor", evidence)
        code = CODE.search(text, lost.start())
        if code:
            yield from _of_code(End(int(code[1]), message=lost[0]), "executor", evidence)
        yield _made(_LOST, "executor", lost[0], evidence)


def _of_reasons(evidence: Evidence) -> Iterator[Diagnosis]:
    """What the machine says of executors."""
    for end in evidence.executors:
        if end.reason is not None:
            yield _machines(end, "executor", evidence)


def _of_executors(evidence: Evidence) -> Iterator[Diagnosis]:
    """The machine's word comes before a bare exit code, of whichever executor."""
    yield from _of_reasons(evidence)
    for end in evidence.executors:
        yield from _of_code(end, "executor", evidence)


def _machines(end: End, side: Side, evidence: Evidence) -> Diagnosis:
    assert end.reason is not None, "asked before"
    return _made(REASONS[end.reason], side, end.message or _ended(end), evidence)


def _of_code(end: End, side: Side, evidence: Evidence, *, ours: bool = False) -> Iterator[Diagnosis]:
    code = code_of(end)
    meaning = None if code is None else (ours and OURS.get(code)) or CODES.get(code)
    if meaning is not None:
        yield _made(meaning, side, end.message or _ended(end), evidence)


def _made(meaning: Meaning, side: Side, seen: str, evidence: Evidence) -> Diagnosis:
    return Diagnosis(
        meaning.kind,
        meaning.cause.format(side=side),
        clip(safe(seen), _SHOWN),
        remedy(meaning.remedy, side, evidence.where),
        meaning.again,
    )


def _ended(end: End) -> str:
    return "no exit code is known" if end.exit_code is None else f"exit code {code_of(end)}"

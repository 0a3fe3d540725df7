"""Writing one output: Parquet into its private place; rows that ``Drop`` rules refuse are left out and counted on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from framework.errors import StoreUnavailable, TeamsparkError
from framework.schema.spec import Check, SchemaSpec
from framework.spark.files import full_text
from framework.spark.measure import BITS, bits, count_broken

_KEPT: Final = "rows kept"  # a space: no check can be called so
_MASK: Final = "_teamspark_mask"
# What the file system says, and whether a person or time mends it.
_STORE_FAULTS: Final = (
    ("No space left on device", "the store is full", "free space, or raise the quota, then run again"),
    ("Disk quota exceeded", "the store is full", "free space, or raise the quota, then run again"),
    ("Read-only file system", "the store is read-only", "mount it for writing"),
    ("Mkdirs failed to create", "the store refuses a new folder", "give this user write permission on its root"),
    ("Permission denied", "the store refuses writes", "give this user write permission on its root"),
)


@dataclass(frozen=True, slots=True)
class WriteFacts:
    """What was seen while one output was written.

    ``rows`` were written, as the write pass counted them; ``dropped`` is by full check name, zeros included (a row
    that breaks two rules counts in both). ``source`` is the frame before anything was dropped.
    """

    rows: int
    dropped: Mapping[str, int]
    source: DataFrame = field(repr=False, compare=False)


def write_output(frame: DataFrame, spec: SchemaSpec, uri: str, *, output: str) -> WriteFacts:
    """Write ``frame``, as ``verify_columns`` returned it, as Parquet below ``uri``, which must not exist yet.

    Raises: StoreUnavailable when the store is full or refuses the write. A transform that fails, and an input that
    cannot be read, raise Spark's errors: the caller knows what it was reading.
    """
    drops = [check for check in spec.checks if check.policy == "drop"]
    seen = Observation()
    kept = _masked(frame, drops, spec, seen) if drops else frame.observe(seen, F.count(F.lit(1)).alias(_KEPT))
    try:
        kept.write.mode("errorifexists").parquet(uri)
    except (PySparkException, Py4JError) as error:
        told = write_failure(error, uri)
        if told is None:
            raise
        raise told from error
    counted = seen.get
    dropped = {f"{output}.{check.name}": int(counted[check.name]) for check in drops}
    return WriteFacts(int(counted[_KEPT]), dropped, frame)


def recount_drops(facts: WriteFacts, spec: SchemaSpec, *, output: str) -> dict[str, int]:
    """``facts.dropped`` once more, from the frame itself: for when the counts of the write pass cannot be right."""
    drops = [check for check in spec.checks if check.policy == "drop"]
    return {f"{output}.{check}": count for check, count in count_broken(facts.source, drops, spec).items()}


def _masked(frame: DataFrame, drops: Sequence[Check], spec: SchemaSpec, seen: Observation) -> DataFrame:
    """``frame`` without the rows that break any of ``drops``, each rule's count going to ``seen``.

    Each row's verdicts are bits of a number, made once below the observation; what is counted and filtered are
    those bits. With the rules themselves in both places Spark 4.2's optimizer pairs every rule with every name it has
    and takes twice as long for each further rule: fifteen rules on a frame of four rows never end.
    """
    masks = {f"{_MASK}{start}": drops[start : start + BITS] for start in range(0, len(drops), BITS)}
    marked = frame.select("*", *(bits(rules, spec).alias(mask) for mask, rules in masks.items()))
    counts = [
        F.count_if(F.col(mask).bitwiseAND(F.lit(1 << i)) != 0).alias(rule.name)
        for mask, rules in masks.items()
        for i, rule in enumerate(rules)
    ]
    clean = F.expr(" AND ".join(f"{mask} = 0" for mask in masks))
    return marked.observe(seen, F.count_if(clean).alias(_KEPT), *counts).where(clean).drop(*masks)


def write_failure(error: Exception, uri: str) -> TeamsparkError | None:
    """The store's part in ``error``; None when it is not the store's fault."""
    text = full_text(error)
    for sign, what, next_step in _STORE_FAULTS:
        if sign in text:
            return StoreUnavailable(what, where=uri, got=sign, next_step=next_step)
    return None

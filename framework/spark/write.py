"""Writing one output: Parquet into its private place; rows that ``Drop`` rules refuse are left out and counted on the way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from framework.diagnosis.signs import is_scratch_full
from framework.errors import TeamsparkError
from framework.schema.spec import Check, SchemaSpec
from framework.spark.committed import SCHEME, Committed, require_magic
from framework.spark.faults import DIRECTORY, S3, store_fault
from framework.spark.files import full_text
from framework.spark.measure import BITS, bits, count_broken
from framework.spark.session import read_bytes

_KEPT: Final = "rows kept"  # a space: no check can be called so
_MASK: Final = "_teamspark_mask"


@dataclass(frozen=True, slots=True)
class WriteFacts:
    """What was seen while one output was written.

    ``rows`` were written, as the write pass counted them; ``dropped`` is by full check name, zeros included (a row
    that breaks two rules counts in both). ``source`` is the frame before anything was dropped. ``committed`` is what the
    committer of an object store says; None for a directory.
    """

    rows: int
    dropped: Mapping[str, int]
    source: DataFrame = field(repr=False, compare=False)
    committed: Committed | None = None


def write_output(frame: DataFrame, spec: SchemaSpec, uri: str, *, output: str) -> WriteFacts:
    """Write ``frame``, as ``verify_columns`` returned it, as Parquet below ``uri``, which must not exist yet.

    Raises: StoreUnavailable or SetupError when the store is full, refuses the write or does not answer, and SetupError
    when an output on S3 was not committed as it must be. A transform that fails, and an input that
    cannot be read, raise Spark's errors: the caller knows what it was reading.
    """
    drops = [check for check in spec.checks if check.policy == "drop"]
    seen = Observation()
    kept = _masked(frame, drops, spec, seen) if drops else frame.observe(seen, F.count(F.lit(1)).alias(_KEPT))
    try:
        kept.write.mode("errorifexists").parquet(uri)
        committed = _committed(frame, uri)
    except (PySparkException, Py4JError) as error:
        told = write_failure(error, uri)
        if told is None:
            raise
        raise told from error
    counted = seen.get
    dropped = {f"{output}.{check.name}": int(counted[check.name]) for check in drops}
    return WriteFacts(int(counted[_KEPT]), dropped, frame, committed)


def _committed(frame: DataFrame, uri: str) -> Committed | None:
    if not uri.startswith(SCHEME):
        return None
    return require_magic(read_bytes(frame.sparkSession, f"{uri}/_SUCCESS"), where=uri)


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
    """The store's part in ``error``; None when it is not the store's fault: a spill fills another disk."""
    text = full_text(error)
    if is_scratch_full(text):
        return None
    return store_fault(text, S3 if uri.startswith(SCHEME) else DIRECTORY, where=uri)

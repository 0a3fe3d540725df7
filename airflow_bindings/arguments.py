"""Arguments that the operator does not take, each with what there is instead. Airflow would name them, and no more."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

OURS: Final = (
    "job",
    "inputs",
    "parameters",
    "job_config",
    "spark_conf",
    "image",
    "tag",
    "size",
    "stored_as",
    "deferrable",
)
# Of an operator that runs another image, which has no Spark.
CONTAINERS: Final = (*(name for name in OURS if name != "spark_conf"), "data", "local_command")


@cache
def base_arguments() -> frozenset[str]:
    """What Airflow's own operator takes."""
    import inspect

    from airflow.sdk import BaseOperator

    parameters = inspect.signature(BaseOperator.__init__).parameters.values()
    return frozenset(one.name for one in parameters if one.kind is not one.VAR_KEYWORD)


def split(base: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Airflow's own arguments, and those that nobody takes."""
    known = base_arguments()
    unknown = {name: value for name, value in base.items() if name not in known}
    return {name: value for name, value in base.items() if name in known}, unknown


def refusals(unknown: Mapping[str, Any], *, container: bool = False) -> Iterator[str]:
    """One sentence for each argument of ``unknown``."""
    own = CONTAINERS if container else OURS
    for name in unknown:
        close = get_close_matches(name, (*own, *base_arguments()), n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        yield f"{name}: no argument of this operator{hint}; it takes {', '.join(own)}, and BaseOperator's own"

"""DAG bundles and the teams that own them.

Which team owns a DAG is what its *loader* says. A DAG's ``fileloc`` follows ``__file__``, which an author may assign.
"""

import json
import sys
from types import FrameType
from typing import Any


def teams_by_bundle() -> dict[str, str | None]:
    """The team of every configured bundle."""
    from airflow.configuration import conf

    configured = json.loads(conf.get("dag_processor", "dag_bundle_config_list", fallback="[]") or "[]")
    return {bundle["name"]: bundle.get("team_name") for bundle in configured}


def loading_bag() -> Any | None:
    """The DagBag that is taking in a DAG right now; None when nothing is.

    Found on the call stack, because Airflow hands a policy the DAG only, and everything on the DAG is the author's.
    """
    from airflow.dag_processing.dagbag import DagBag

    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the only way to a caller that does not pass itself
    while frame is not None and frame.f_code is not DagBag.bag_dag.__code__:
        frame = frame.f_back
    return None if frame is None else frame.f_locals["self"]

"""The Airflow side: operators, edges, assets and the tenancy policy.

Belongs here: everything that knows Airflow. It knows ``framework`` and ``k8s``; nobody knows it. A DAG file that
imports from here loads no pyspark, no provider, no Kubernetes client and no boto3.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_bindings.edges import Upstream
    from airflow_bindings.operators import ExecutionEnvironmentOperator, SparkExecutionEnvironmentOperator
    from airflow_bindings.scoped import team_scoped

__all__ = ["ExecutionEnvironmentOperator", "SparkExecutionEnvironmentOperator", "Upstream", "team_scoped"]

_HOMES = {
    "ExecutionEnvironmentOperator": "operators",
    "SparkExecutionEnvironmentOperator": "operators",
    "Upstream": "edges",
    "team_scoped": "scoped",
}


def __getattr__(name: str) -> object:
    # The policy is imported by every Airflow process, and with it this package: an operator only when asked for.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

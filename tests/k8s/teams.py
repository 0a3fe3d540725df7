"""Teams and a platform as tests of a cluster have them."""

from typing import Any, Final

from framework.tenancy.model import Team
from k8s.platform import Platform

FLIGHTS: Final[dict[str, Any]] = {
    "team": "flights",
    "owners": ["flights@example.org"],
    "image": "registry.example.org/flights/jobs:2026.11",
    "sizes": {"S": {"executors": 1}, "M": {"executors": 4, "executor": {"cpu": 2, "memory": "4Gi"}}},
    "store": {"kind": "s3", "bucket": "flights-data"},
    "quota": {"cpu": 16, "memory": "64Gi", "pods": 40},
    "limits": {
        "driver": {"cpu": 2, "memory": "4Gi"},
        "executor": {"cpu": 4, "memory": "8Gi"},
        "max_executors": 10,
    },
    "images": ["registry.example.org/flights/*"],
    "airflow": {"pool_slots": 32, "connections": ["warehouse"]},
}
PLATFORM: Final = Platform.parse(
    {
        "api": [{"network": "10.96.0.1/32", "port": 443}],
        "s3": [{"network": "10.20.0.0/24", "port": 8333}],
        "airflow": [{"network": "10.30.0.5/32", "port": 8080}],
        "airflow_images": ["registry.example.org/airflow/"],
        "issuer": "https://kubernetes.default.svc.cluster.local",
    },
    where="platform.yaml",
)


def team(name: str, **changes: Any) -> Team:
    """``flights`` under another name."""
    mine = {
        "team": name,
        "store": {"kind": "s3", "bucket": f"{name}-data"},
        "images": [f"registry.example.org/{name}/*"],
    }
    return Team.parse({**FLIGHTS, **mine, "image": f"registry.example.org/{name}/jobs:1", **changes}, where=name)

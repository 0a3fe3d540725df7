"""A pod that a team may run, and how to change it."""

from copy import deepcopy
from typing import Any, Final

RESTRICTED: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
OWNER: Final = {"apiVersion": "v1", "kind": "Pod", "name": "driver-1", "uid": "7b1d2b1e-0000-4000-8000-000000000000"}


def pod(
    team: str,
    *,
    image: str | None = None,
    container: dict[str, Any] | None = None,
    labels: dict[str, str] | None = None,
    owned: bool = False,
    **spec: Any,
) -> dict[str, Any]:
    """One container of the team's own image under the driver's account; ``spec`` goes over that."""
    main = {
        "name": "main",
        "image": image or f"registry.example.org/{team}/jobs:1",
        "resources": {"limits": {"cpu": "1", "memory": "1Gi"}},
        "securityContext": deepcopy(RESTRICTED),
        **(container or {}),
    }
    metadata: dict[str, Any] = {
        "generateName": "try-",
        "namespace": team,
        "labels": {"teamspark.io/team": team} if labels is None else labels,
    }
    if owned:
        metadata["ownerReferences"] = [OWNER]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"serviceAccountName": "driver", "containers": [main], **spec},
    }

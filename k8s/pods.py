"""A pod that a team may run, as small as it can be: what drivers grow from, and what tries of the policies change."""

from copy import deepcopy
from typing import Any, Final

from framework.tenancy.names import Names
from k8s.render.objects import TEAM_LABEL, Obj

RESTRICTED: Final[dict[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""The security context that the level ``restricted`` asks for (Kubernetes, Pod Security Standards)."""


def small_pod(team: str, image: str, *, limits: dict[str, str] | None = None, **spec: Any) -> Obj:
    """One container under the driver's account in the team's namespace; ``spec`` goes over that of the pod."""
    main = {
        "name": "main",
        "image": image,
        "resources": {"limits": limits or {"cpu": "1m", "memory": "1Mi"}},
        "securityContext": deepcopy(RESTRICTED),
    }
    names = Names(team)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "try-", "namespace": names.namespace, "labels": {TEAM_LABEL: team}},
        "spec": {"serviceAccountName": names.driver, "containers": [main], **spec},
    }

"""Kubernetes objects as plain dictionaries, in the form in which an API server takes them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

import yaml

Obj: TypeAlias = dict[str, Any]

TEAM_LABEL: Final = "teamspark.io/team"
MANAGED: Final = {"app.kubernetes.io/managed-by": "teamspark"}
GROUP: Final = "teamspark.io"
RBAC: Final = "rbac.authorization.k8s.io"


def thing(
    kind: str,
    name: str,
    *,
    namespace: str | None = None,
    api: str = "v1",
    labels: Mapping[str, str] | None = None,
    **rest: Any,
) -> Obj:
    """An object with our labels."""
    metadata: Obj = {"name": name, "labels": {**MANAGED, **(labels or {})}}
    if namespace is not None:
        metadata["namespace"] = namespace
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **rest}


def rule(resources: Sequence[str], verbs: Sequence[str], *, group: str = "") -> Obj:
    """What a role permits."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def address(one: Obj) -> tuple[str, str, str, str]:
    """Version, kind, namespace and name: what makes an object one."""
    metadata = one["metadata"]
    return one["apiVersion"], one["kind"], metadata.get("namespace", ""), metadata["name"]


def as_yaml(objects: Iterable[Obj]) -> str:
    """A file for ``kubectl apply --server-side``; the same objects give the same bytes."""
    return yaml.safe_dump_all(objects, sort_keys=True, explicit_start=True, width=120)

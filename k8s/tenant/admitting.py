"""The rules of the admission policy for pods as predicates: what ``render/admission.py`` says in CEL, for who asks without a cluster.

Each rule is known by the policy's own message. A pod is taken as its maker writes it; what Kubernetes fills in before the
policy sees it (limits that a LimitRange gives) is filled in here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from framework.tenancy.quantities import millis, octets
from k8s.render.admission import POD_MESSAGES, TOLERATED
from k8s.render.objects import TEAM_LABEL, Obj

_TAGGED: Final = re.compile(r":[A-Za-z0-9_][A-Za-z0-9._-]*$")
_VOLUMES: Final = frozenset({"emptyDir", "configMap", "secret", "downwardAPI", "projected"})
_SOURCES: Final = frozenset({"configMap", "secret", "downwardAPI"})
_PLACING: Final = ("nodeSelector", "runtimeClassName", "affinity", "topologySpreadConstraints")
_SHARED: Final = ("hostAliases", "imagePullSecrets", "ephemeralContainers")


@dataclass(frozen=True)
class Asked:
    """A pod that ``user`` wants to make. ``limits``: the spec of the namespace's parameters; ``defaults``: its LimitRange's."""

    pod: Obj
    user: str
    limits: Mapping[str, Any]
    defaults: Mapping[str, str]

    @property
    def spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.pod["spec"]
        return spec

    @property
    def account(self) -> str:
        return str(self.spec.get("serviceAccountName", "default"))

    @property
    def containers(self) -> list[Mapping[str, Any]]:
        return [*self.spec["containers"], *self.spec.get("initContainers", ())]

    @property
    def volumes(self) -> list[Mapping[str, Any]]:
        return list(self.spec.get("volumes", ()))


def refusals(asked: Asked) -> tuple[str, ...]:
    """The messages of the rules that deny it, in the policy's order; none: it is let pass."""
    return tuple(message for message in POD_MESSAGES if not _RULES[message](asked))


def _labelled(asked: Asked) -> bool:
    labels: Mapping[str, str] = asked.pod["metadata"].get("labels") or {}
    return bool(labels.get(TEAM_LABEL, "") == asked.limits["team"])


def _own_account(asked: Asked) -> bool:
    return bool(asked.account in asked.limits["accounts"])


def _own_image(asked: Asked) -> bool:
    prefixes = tuple(asked.limits["images"])
    return all(one["image"].startswith(prefixes) and ".." not in one["image"] for one in asked.containers)


def _fixed_image(asked: Asked) -> bool:
    return all(
        "@sha256:" in one["image"]
        or (_TAGGED.search(one["image"]) is not None and not one["image"].endswith(":latest"))
        for one in asked.containers
    )


def _volumes(asked: Asked) -> bool:
    claims = asked.limits["claims"]
    return all(
        _VOLUMES & set(one) or one.get("persistentVolumeClaim", {}).get("claimName") in claims for one in asked.volumes
    )


def _tokens(asked: Asked) -> bool:
    sources = (source for one in asked.volumes for source in one.get("projected", {}).get("sources", ()))
    return all(_SOURCES & set(one) or _audience(one) in asked.limits["audiences"] for one in sources)


def _audience(source: Mapping[str, Any]) -> str | None:
    token = source.get("serviceAccountToken")
    return None if token is None else str(token.get("audience", ""))


def _placed_by_us(asked: Asked) -> bool:
    spec = asked.spec
    return (
        not any(key in spec for key in _PLACING)
        and spec.get("priorityClassName", "") == ""
        and spec.get("schedulerName", "default-scheduler") == "default-scheduler"
    )


def _no_node(asked: Asked) -> bool:
    return "nodeName" not in asked.spec


def _tolerates(asked: Asked) -> bool:
    return all(one.get("key", "") in TOLERATED for one in asked.spec.get("tolerations", ()))


def _apart(asked: Asked) -> bool:
    return not asked.spec.get("shareProcessNamespace", False) and not any(key in asked.spec for key in _SHARED)


def _owned(asked: Asked) -> bool:
    owners = asked.pod["metadata"].get("ownerReferences") or ()
    return asked.account != asked.limits["executor"] or any(
        (one["apiVersion"], one["kind"]) == ("v1", "Pod") for one in owners
    )


def _no_secret(asked: Asked) -> bool:
    """A driver makes executors: it would read by one what was handed over to another run of its team."""
    if asked.account != asked.limits["executor"]:
        return True
    sources = (source for one in asked.volumes for source in (one, *one.get("projected", {}).get("sources", ())))
    told = (one for container in asked.containers for one in container.get("env", ()))
    whole = (one for container in asked.containers for one in container.get("envFrom", ()))
    return not (
        any("secret" in one for one in sources)
        or any("secretKeyRef" in (one.get("valueFrom") or {}) for one in told)
        or any("secretRef" in one for one in whole)
    )


def _drivers_make_executors(asked: Asked) -> bool:
    return bool(asked.user != asked.limits["driverUser"]) or asked.account == asked.limits["executor"]


def _within(asked: Asked) -> bool:
    most = asked.limits["most"].get(asked.account)
    return most is None or not any(_exceeds(most, limits) for limits in _limits(asked))


def _limits(asked: Asked) -> Iterator[Mapping[str, str]]:
    for one in asked.containers:
        yield {**asked.defaults, **one.get("resources", {}).get("limits", {})}


def _exceeds(most: Mapping[str, str], limits: Mapping[str, str]) -> bool:
    return millis(str(limits["cpu"])) > millis(most["cpu"]) or octets(str(limits["memory"])) > octets(most["memory"])


_RULES: Final[Mapping[str, Callable[[Asked], bool]]] = dict(
    zip(
        POD_MESSAGES,
        (
            _labelled, _own_account, _own_image, _fixed_image, _volumes, _tokens, _placed_by_us, _no_node, _tolerates,
            _apart, _owned, _no_secret, _drivers_make_executors, _within,
        ),
        strict=True,
    )
)  # fmt: skip

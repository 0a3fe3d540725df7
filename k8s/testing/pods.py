"""Pods that a team must not have, by who denies them, and pods that it needs. Pure: what to change in a small pod."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from framework.tenancy.model import Team
from framework.tenancy.names import Names
from k8s.pods import RESTRICTED, small_pod
from k8s.render.objects import TEAM_LABEL, Obj

OWNER: Final = {"apiVersion": "v1", "kind": "Pod", "name": "driver-1", "uid": "7b1d2b1e-0000-4000-8000-000000000000"}
Changes = Mapping[str, Any]


@dataclass(frozen=True)
class Pair:
    """The team that attacks, and the one that it is after."""

    team: Team
    other: Team

    @property
    def images(self) -> str:
        """Before the images of the team: ``registry.example.org/flights``."""
        return self.team.images[0].removesuffix("/*")

    @property
    def other_images(self) -> str:
        return self.other.images[0].removesuffix("/*")

    def pod(self, changes: Changes) -> Obj:
        """A pod of the team, with ``changes``: keys of its spec, or ``image``, ``container``, ``labels``, ``owned``."""
        special = {"image", "container", "labels", "owned"}
        spec = {key: value for key, value in changes.items() if key not in special}
        made = small_pod(self.team.team, changes.get("image", f"{self.images}/jobs:1"), **spec)
        if "containers" not in spec:
            made["spec"]["containers"][0] |= changes.get("container", {})
        if "labels" in changes:
            made["metadata"]["labels"] = changes["labels"]
        if changes.get("owned"):
            made["metadata"]["ownerReferences"] = [OWNER]
        return made


def denied_by_policy(pair: Pair) -> dict[str, Changes]:
    """What Pod Security leaves open."""
    return {**_images(pair), **_identity(pair), **_volumes(), **_placing(pair), **_amounts(pair)}


def _images(pair: Pair) -> dict[str, Changes]:
    mine, nobodys = pair.images, "elsewhere.example.org/library/busybox:1"
    beside = {"name": "i", "image": nobodys, "securityContext": RESTRICTED}
    return {
        "an image of nobody": {"image": nobodys},
        "another team's image": {"image": f"{pair.other_images}/jobs:1"},
        "a name that goes on": {"image": f"{mine}2/jobs:1"},
        "a way up in an image": {"image": f"{mine}/../{pair.other.team}/jobs:1"},
        "a host before the image": {"image": f"elsewhere.example.org/{mine}/jobs:1"},
        "the latest image": {"image": f"{mine}/jobs:latest"},
        "an image without a tag": {"image": f"{mine}/jobs"},
        "an init container's image": {"initContainers": [beside]},
    }


def _identity(pair: Pair) -> dict[str, Changes]:
    return {
        "the default account": {"serviceAccountName": "default"},
        "an executor without a driver": {"serviceAccountName": Names(pair.team.team).executor},
        "another team's label": {"labels": {TEAM_LABEL: pair.other.team}},
        "no label": {"labels": {}},
        "a token for somebody else": _volume(
            projected={"sources": [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]}
        ),
        "a pull secret": {"imagePullSecrets": [{"name": "other"}]},
        **_secrets({"serviceAccountName": Names(pair.team.team).executor, "owned": True}),
    }


def _secrets(executor: Changes) -> dict[str, Changes]:
    """What was handed over to another run."""
    named = {"secretKeyRef": {"name": "run-2", "key": "connections.json"}}
    return {
        "an executor with a secret": {**executor, **_volume(secret={"secretName": "run-2"})},
        "an executor with a projected secret": {
            **executor, **_volume(projected={"sources": [{"secret": {"name": "run-2"}}]}),
        },
        "an executor with a secret in a variable": {
            **executor, "container": {"env": [{"name": "X", "valueFrom": named}]},
        },
        "an executor with a secret as variables": {
            **executor, "container": {"envFrom": [{"secretRef": {"name": "run-2"}}]},
        },
    }  # fmt: skip


def _volumes() -> dict[str, Changes]:
    claim = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}
    trusted = {"sources": [{"clusterTrustBundle": {"name": "b", "path": "p"}}]}
    return {
        "a claim": _volume(persistentVolumeClaim={"claimName": "data"}),
        "a csi volume": _volume(csi={"driver": "efs.csi.aws.com"}),
        "an ephemeral volume": _volume(ephemeral={"volumeClaimTemplate": claim}),
        "a trust bundle": _volume(projected=trusted),
    }


def _placing(pair: Pair) -> dict[str, Changes]:
    everywhere = {"nodeSelectorTerms": [{"matchExpressions": [{"key": "pool", "operator": "Exists"}]}]}
    beside = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {TEAM_LABEL: pair.other.team}}}
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    return {
        "a chosen node": {"nodeName": "node1"},
        "a node selector": {"nodeSelector": {"pool": pair.other.team}},
        "a node affinity": {
            "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": everywhere}}
        },
        "beside another team": {
            "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [beside]}}
        },
        "a spread": {"topologySpreadConstraints": [spread]},
        "a toleration of everything": {"tolerations": [{"operator": "Exists"}]},
        "a toleration of a control plane": {
            "tolerations": [{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]
        },
        "a scheduler": {"schedulerName": "mine"},
        "a priority": {"priorityClassName": "system-node-critical"},
        "shared processes": {"shareProcessNamespace": True},
        "host aliases": {"hostAliases": [{"ip": "10.0.0.1", "hostnames": ["s3.amazonaws.com"]}]},
    }


def _amounts(pair: Pair) -> dict[str, Changes]:
    assert pair.team.limits is not None
    driver = pair.team.limits.driver
    return {
        "more than a driver may have": _limited(f"{driver.cpu}001m" if driver.cpu.isdigit() else "1000", "1Mi"),
        "more memory than a driver may have": _limited("1m", f"{int(driver.memory[:-2]) + 1}{driver.memory[-2:]}"),
    }


def _limited(cpu: str, memory: str) -> Changes:
    return {"container": {"resources": {"limits": {"cpu": cpu, "memory": memory}}}}


def _volume(**source: Any) -> Changes:
    return {"volumes": [{"name": "v", **source}]}


def _secured(**more: Any) -> Changes:
    return {"container": {"securityContext": {**RESTRICTED, **more}}}


DENIED_BY_POD_SECURITY: Final[Mapping[str, Changes]] = {
    "escalation": _secured(allowPrivilegeEscalation=True),
    "privileged": _secured(privileged=True, allowPrivilegeEscalation=True),
    "root": _secured(runAsNonRoot=False),
    "user 0": _secured(runAsUser=0),
    "a capability": _secured(capabilities={"add": ["SYS_ADMIN"], "drop": ["ALL"]}),
    "capabilities kept": _secured(capabilities={}),
    "no seccomp": _secured(seccompProfile={"type": "Unconfined"}),
    "the host's network": {"hostNetwork": True},
    "the host's processes": {"hostPID": True},
    "the host's memory": {"hostIPC": True},
    "a host path": _volume(hostPath={"path": "/"}),
    "a host port": {"container": {"ports": [{"containerPort": 80, "hostPort": 80}]}},
    "a sysctl": {"securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
    "proc unmasked": {**_secured(procMount="Unmasked"), "hostUsers": False},
    "an nfs volume": _volume(nfs={"server": "10.0.0.1", "path": "/"}),
}
"""By the level ``restricted`` that the namespaces are held to."""


def needed(pair: Pair) -> dict[str, Changes]:
    """Pods that a launcher makes."""
    assert pair.team.limits is not None
    limits, mine = pair.team.limits, pair.images
    executor = {"serviceAccountName": Names(pair.team.team).executor, "owned": True}
    labels = {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    token = {"sources": [{"serviceAccountToken": {"path": "t", "audience": "sts.amazonaws.com"}}]}
    return {
        "a driver": {},
        "an executor of a driver": executor,
        "by digest": {"image": f"{mine}/jobs@sha256:{'0' * 64}"},
        "in a folder below": {"image": f"{mine}/tools/jobs:2026.11"},
        "a token for the store": _volume(projected=token),
        "its own secret": _volume(secret={"secretName": "run-1"}),
        "its own settings": _volume(configMap={"name": "run-1"}),
        "scratch": _volume(emptyDir={"sizeLimit": "1Gi"}),
        "what its own fields say": _volume(downwardAPI=labels),
        "as much as a driver may have": _limited(limits.driver.cpu, limits.driver.memory),
        "as much as an executor may have": {**executor, **_limited(limits.executor.cpu, limits.executor.memory)},
    }

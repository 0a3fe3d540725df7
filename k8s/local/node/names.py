"""Names in the cluster: CoreDNS as a pod like others, so that walls around pods are as they are elsewhere."""

from collections.abc import Iterator
from typing import Final

from k8s.local.node.layout import DOMAIN, NODE, Layout
from k8s.render.objects import RBAC, Obj, rule, thing

IMAGE: Final = "teamspark.local/coredns:1.13.1"
SPACE: Final = "kube-system"
NAME: Final = "coredns"
_LABELS: Final = {"k8s-app": "kube-dns"}


def objects(layout: Layout) -> Iterator[Obj]:
    """What the pod needs before it is there."""
    yield thing("ServiceAccount", NAME, namespace=SPACE)
    yield thing("ClusterRole", NAME, api=f"{RBAC}/v1", rules=[
        rule(["endpoints", "services", "pods", "namespaces"], ["list", "watch"]),
        rule(["endpointslices"], ["list", "watch"], group="discovery.k8s.io"),
    ])  # fmt: skip
    yield thing(
        "ClusterRoleBinding", NAME, api=f"{RBAC}/v1", roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": NAME},
        subjects=[{"kind": "ServiceAccount", "name": NAME, "namespace": SPACE}],
    )  # fmt: skip
    yield thing("ConfigMap", NAME, namespace=SPACE, data={"Corefile": _corefile()})
    ports = [
        {"name": name, "port": 53, "protocol": protocol} for name, protocol in (("dns", "UDP"), ("dns-tcp", "TCP"))
    ]
    yield thing(
        "Service", "kube-dns", namespace=SPACE, labels=_LABELS,
        spec={"selector": _LABELS, "clusterIP": layout.dns, "ports": ports},
    )  # fmt: skip


def _corefile() -> str:
    return f"""\
.:53 {{
    errors
    ready
    kubernetes {DOMAIN} in-addr.arpa {{
        pods insecure
        ttl 5
    }}
    cache 5
}}
"""


def pod() -> Obj:
    """What answers for names."""
    container = {
        "name": NAME,
        "image": IMAGE,
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [{"containerPort": 53, "protocol": "UDP"}, {"containerPort": 53, "protocol": "TCP"}],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns"}],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
    }
    return thing("Pod", NAME, namespace=SPACE, labels=_LABELS, spec={
        "serviceAccountName": NAME,
        "nodeName": NODE,
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
    })  # fmt: skip


def walls() -> Iterator[Obj]:
    """What may be read by whoever keeps the walls."""
    name = "teamspark-walls"
    yield thing("ClusterRole", name, api=f"{RBAC}/v1", rules=[
        rule(["pods", "namespaces"], ["get", "list", "watch"]),
        rule(["networkpolicies"], ["get", "list", "watch"], group="networking.k8s.io"),
    ])  # fmt: skip
    yield thing(
        "ClusterRoleBinding", name, api=f"{RBAC}/v1", roleRef={"apiGroup": RBAC, "kind": "ClusterRole", "name": name},
        subjects=[{"apiGroup": RBAC, "kind": "User", "name": "teamspark:walls"}],
    )  # fmt: skip

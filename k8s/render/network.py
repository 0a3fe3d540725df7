"""Whom the pods of a team may talk to: nobody, but for what is listed here.

Rules choose by namespace, never by a pod's own label, which its maker writes. Who enforces them is the cluster's network plugin.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from framework.tenancy.names import Names
from k8s.platform import Endpoint, Platform
from k8s.render.objects import TEAM_LABEL, Obj, thing

_DNS: Final = {
    "to": [{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
        "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
    }],
    "ports": [{"port": 53, "protocol": protocol} for protocol in ("UDP", "TCP")],
}  # fmt: skip
_EACH_OTHER: Final[list[Obj]] = [{"podSelector": {}}]


def policies(team: str, platform: Platform) -> Iterator[Obj]:
    """Spark's pods talk to each other, to the API server and to the S3 port; Airflow's workers to the API server and to
    Airflow. Nobody opens a connection to a worker.
    """
    names = Names(team)
    for space in names.namespaces:
        yield _policy(team, space, "nobody", ingress=[], egress=[])
        yield _policy(team, space, "names-and-api", egress=[_DNS, *_to(platform.api)])
    yield _policy(team, names.namespace, "each-other", ingress=[{"from": _EACH_OTHER}], egress=[{"to": _EACH_OTHER}])
    if platform.s3:
        yield _policy(team, names.namespace, "store", egress=_to(platform.s3))
    if platform.airflow:
        yield _policy(team, names.airflow_namespace, "airflow", egress=_to(platform.airflow))


def _to(endpoints: Iterable[Endpoint]) -> list[Obj]:
    return [
        {"to": [{"ipBlock": {"cidr": one.network}}], "ports": [{"port": one.port, "protocol": "TCP"}]}
        for one in endpoints
    ]


def _policy(
    team: str, space: str, name: str, *, ingress: list[Obj] | None = None, egress: list[Obj] | None = None
) -> Obj:
    ways = {"Ingress": ingress, "Egress": egress}
    spec: Obj = {"podSelector": {}, "policyTypes": [way for way, rules in ways.items() if rules is not None]}
    spec |= {way.lower(): rules for way, rules in ways.items() if rules}
    return thing(
        "NetworkPolicy", name, api="networking.k8s.io/v1", namespace=space, labels={TEAM_LABEL: team}, spec=spec
    )

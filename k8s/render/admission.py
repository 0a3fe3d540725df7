"""What Pod Security leaves open, as ValidatingAdmissionPolicies: one set for the cluster, with parameters in each team namespace.

The parameters are objects of a kind of their own, for which no team has any right; where they are missing, all is denied.
Expressions are CEL (Common Expression Language), as Kubernetes 1.30 and later run it inside the API server.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from framework.tenancy.cluster import Limits, PodSize, cache_size
from framework.tenancy.model import Team
from framework.tenancy.names import Names
from k8s.platform import Platform
from k8s.render.amounts import WORKER
from k8s.render.objects import GROUP, TEAM_LABEL, Obj, thing
from k8s.render.volume import has_volume

KIND: Final = "TeamLimits"
PLURAL: Final = "teamlimits"
PARAMETERS: Final = "team"
VERSION: Final = "v1"
FOREIGN_IMAGE: Final = "image is below none of the team's images"
_API: Final = "admissionregistration.k8s.io/v1"
# Set by Kubernetes itself on every pod.
TOLERATED: Final = [
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/memory-pressure",
]

_VARIABLES: Final[Mapping[str, str]] = {
    "containers": "object.spec.containers + object.spec.?initContainers.orValue([])",
    "volumes": "object.spec.?volumes.orValue([])",
    "account": "object.spec.?serviceAccountName.orValue('default')",
    "owners": "object.metadata.?ownerReferences.orValue([])",
    "user": "request.userInfo.?username.orValue('')",
}
_POD: Final[tuple[tuple[str, str], ...]] = (
    (
        f"object.metadata.?labels[?'{TEAM_LABEL}'].orValue('') == params.spec.team",
        f"label {TEAM_LABEL} must be the namespace's team",
    ),
    ("variables.account in params.spec.accounts", "pods run as one of the team's own service accounts"),
    (
        "variables.containers.all(c, params.spec.images.exists(p, c.image.startsWith(p)) && !c.image.contains('..'))",
        FOREIGN_IMAGE,
    ),
    (
        ("variables.containers.all(c, c.image.contains('@sha256:') || "
        "(c.image.matches(':[A-Za-z0-9_][A-Za-z0-9._-]*$') && !c.image.endsWith(':latest')))"),
        "image needs a digest, or a tag that is not latest",
    ),
    (
        ("variables.volumes.all(v, has(v.emptyDir) || has(v.configMap) || has(v.secret) || has(v.downwardAPI) || "
        "has(v.projected) || (has(v.persistentVolumeClaim) && v.persistentVolumeClaim.claimName in params.spec.claims))"),
        "volumes are emptyDir, configMap, secret, downwardAPI, projected, or the team's own claim",
    ),
    (
        ("variables.volumes.all(v, !has(v.projected) || v.projected.?sources.orValue([]).all(s, "
        "has(s.configMap) || has(s.secret) || has(s.downwardAPI) || "
        "(has(s.serviceAccountToken) && s.serviceAccountToken.?audience.orValue('') in params.spec.audiences)))"),
        "tokens are for the API server or the store only",
    ),
    (
        ("!has(object.spec.nodeSelector) && !has(object.spec.runtimeClassName) && "
        "object.spec.?priorityClassName.orValue('') == '' && "
        "object.spec.?schedulerName.orValue('default-scheduler') == 'default-scheduler' && "
        "!has(object.spec.affinity) && !has(object.spec.topologySpreadConstraints)"),
        "where and before whom a pod runs is the platform's: no nodeSelector, affinity, runtime, priority or scheduler",
    ),
    ("request.operation != 'CREATE' || !has(object.spec.nodeName)", "pods choose no node"),
    (
        f"object.spec.?tolerations.orValue([]).all(t, t.?key.orValue('') in {TOLERATED!r})",
        "pods tolerate no node of others",
    ),
    (
        ("!object.spec.?shareProcessNamespace.orValue(false) && !has(object.spec.hostAliases) && "
        "!has(object.spec.imagePullSecrets) && !has(object.spec.ephemeralContainers)"),
        "no shared processes, host aliases, pull secrets or ephemeral containers",
    ),
    (
        "variables.account != params.spec.executor || variables.owners.exists(o, o.apiVersion == 'v1' && o.kind == 'Pod')",
        "an executor is owned by its driver's pod",
    ),
    (
        ("variables.account != params.spec.executor || (variables.volumes.all(v, !has(v.secret) && "
        "(!has(v.projected) || v.projected.?sources.orValue([]).all(s, !has(s.secret)))) && variables.containers.all(c, "
        "c.?envFrom.orValue([]).all(e, !has(e.secretRef)) && "
        "c.?env.orValue([]).all(e, !has(e.valueFrom) || !has(e.valueFrom.secretKeyRef))))"),
        "an executor is given no secret",
    ),
    (
        "variables.user != params.spec.driverUser || variables.account == params.spec.executor",
        "a driver makes executors only",
    ),
    (
        ("!(variables.account in params.spec.most) || variables.containers.all(c, ['cpu', 'memory'].all(r, "
        "has(c.resources) && has(c.resources.limits) && r in c.resources.limits && "
        "!quantity(string(c.resources.limits[r])).isGreaterThan(quantity(params.spec.most[variables.account][r]))))"),
        "more than the team's limits for this kind of pod",
    ),
)  # fmt: skip
POD_MESSAGES: Final = tuple(message for _, message in _POD)
"""What each rule for pods says when it denies, in the order in which they are asked."""
_SERVICE: Final[tuple[tuple[str, str], ...]] = (
    (
        "object.spec.?type.orValue('ClusterIP') == 'ClusterIP' && !has(object.spec.externalName)",
        "services are of type ClusterIP: none is reached from outside, or leads there",
    ),
    ("object.spec.?externalIPs.orValue([]).size() == 0", "services take no external address"),
)
_DOORS: Final = ("exec", "attach", "portforward", "proxy", "ephemeralcontainers", "resize")
_OPERATORS: Final = "request.userInfo.?groups.orValue([]).exists(g, g in params.spec.operators)"


def definition() -> Obj:
    """The kind of the parameters. Unknown fields are refused where they are written, by server-side apply's own check."""
    text = {"type": "string"}
    texts = {"type": "array", "items": text}
    size = {"type": "object", "required": ["cpu", "memory"], "properties": {"cpu": text, "memory": text}}
    fields = {
        **dict.fromkeys(("team", "executor", "driverUser"), text),
        **dict.fromkeys(("accounts", "images", "claims", "audiences", "operators"), texts),
        "most": {"type": "object", "additionalProperties": size},
    }
    spec = {"type": "object", "required": sorted(fields), "properties": fields}
    schema = {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": spec}}}
    return thing(
        "CustomResourceDefinition", f"{PLURAL}.{GROUP}", api="apiextensions.k8s.io/v1",
        spec={
            "group": GROUP, "scope": "Namespaced",
            "names": {"kind": KIND, "plural": PLURAL, "singular": PLURAL, "listKind": f"{KIND}List"},
            "versions": [{"name": VERSION, "served": True, "storage": True, "schema": schema}],
        },
    )  # fmt: skip


def admission() -> Iterator[Obj]:
    """The set, and the bindings that put it before every team namespace."""
    pods, services = [_rule("pods", "CREATE", "UPDATE")], [_rule("services", "CREATE", "UPDATE")]
    doors = [_rule(f"pods/{door}", "CREATE", "UPDATE", "CONNECT") for door in _DOORS] + [
        _rule("services/proxy", "CONNECT")
    ]
    closed = ((_OPERATORS, "pods of teams are looked into by the platform's operators only"),)
    for name, rules, validations, variables in (
        ("teamspark-pods", pods, _POD, _VARIABLES),
        ("teamspark-services", services, _SERVICE, {}),
        ("teamspark-doors", doors, closed, {}),
    ):
        yield thing("ValidatingAdmissionPolicy", name, api=_API, spec={
            "failurePolicy": "Fail",
            "paramKind": {"apiVersion": f"{GROUP}/{VERSION}", "kind": KIND},
            "matchConstraints": {"resourceRules": rules},
            "variables": [{"name": key, "expression": text} for key, text in variables.items()],
            "validations": [
                {"expression": text, "message": message, "reason": "Forbidden"} for text, message in validations
            ],
        })  # fmt: skip
        yield thing("ValidatingAdmissionPolicyBinding", name, api=_API, spec={
            "policyName": name,
            "validationActions": ["Deny"],
            "paramRef": {"name": PARAMETERS, "parameterNotFoundAction": "Deny"},
            "matchResources": {"namespaceSelector": {"matchExpressions": [{"key": TEAM_LABEL, "operator": "Exists"}]}},
        })  # fmt: skip


def _rule(resource: str, *operations: str) -> dict[str, Any]:
    return {"apiGroups": [""], "apiVersions": ["v1"], "operations": list(operations), "resources": [resource]}


def parameters(team: Team, platform: Platform, limits: Limits) -> Iterator[Obj]:
    """What the set allows in each of the team's namespaces."""
    names = Names(team.team)
    prefixes = [image.removesuffix("*") for image in team.images]
    most = {names.driver: limits.driver, names.executor: limits.executor}
    if team.cache is not None and platform.caches(team):
        most[names.cache] = cache_size(team.cache)
        prefixes.append(str(platform.cache_image))
    claims = [names.claim] if has_volume(team, platform) else []
    for space, allowed, sizes, volumes in (
        (names.namespace, prefixes, most, claims),
        (names.airflow_namespace, list(platform.airflow_images), {names.launcher: WORKER}, []),
    ):
        yield thing(KIND, PARAMETERS, api=f"{GROUP}/{VERSION}", namespace=space, labels={TEAM_LABEL: team.team}, spec={
            "team": team.team,
            "accounts": list(sizes),
            "executor": names.executor,
            "driverUser": names.subject(names.driver),
            "images": allowed,
            "claims": volumes,
            "audiences": ["", platform.audience],
            "operators": list(platform.operators),
            "most": {account: _size(size) for account, size in sizes.items()},
        })  # fmt: skip


def _size(size: PodSize) -> dict[str, str]:
    return {"cpu": size.cpu, "memory": size.memory}

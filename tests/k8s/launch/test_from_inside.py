"""What a running driver may do with what is in its pod: its own token, its own network. Everything else is the API server's to deny."""

import json
from typing import Any, Final

import pytest

from framework.launch.base import LaunchRequest, Phase
from k8s.launch.launcher import KubernetesLauncher
from k8s.testing.pods import DENIED_BY_POD_SECURITY, Pair, denied_by_policy
from tests.k8s.launch.test_on_node import executor, request, until
from tests.servers.node import RealNode, tenant

# Whoever is first waits for a node to start and to be given its images.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SENDS: Final = """
import json, os, ssl, sys, urllib.error, urllib.request
HOME = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN, TRUST = open(f"{HOME}/token").read(), ssl.create_default_context(cafile=f"{HOME}/ca.crt")
def ask(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    told = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
    asked = urllib.request.Request(f"https://kubernetes.default.svc{path}", data, told, method=method)
    try:
        with urllib.request.urlopen(asked, context=TRUST, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
own = ask("GET", f"/api/v1/namespaces/flights/pods/{os.uname().nodename}")[1]["metadata"]
found = {}
for name, (method, path, body, headers) in json.load(open("/etc/teamspark/config.json")).items():
    for owner in (body or {}).get("metadata", {}).get("ownerReferences", ()):
        owner.update(name=own["name"], uid=own["uid"])
    status, told = ask(method, path, body, **headers)
    found[name] = [status, told.get("message", "")[:200]]
open("/dev/termination-log", "w").write(json.dumps({name: status for name, (status, _) in found.items()}))
print(json.dumps(found))
"""
Deed = tuple[str, str, dict[str, Any] | None, dict[str, str]]


def made(body: dict[str, Any], namespace: str = "flights") -> Deed:
    one = {**body, "metadata": {**body["metadata"], "namespace": namespace}}
    return "POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", one, {}


def deeds(node: RealNode, asked: LaunchRequest) -> dict[str, Deed]:
    """Executors that are none of the team's, and other doors. The witness is the first."""
    fine = executor(node, asked, {"metadata": {"name": asked.name, "uid": "u"}})
    attacks = {**denied_by_policy(Pair(tenant("flights"), tenant("insights"))), **DENIED_BY_POD_SECURITY}
    found = {"an executor": made(fine), "an executor of insights": made(fine, "insights")}
    for name, changes in attacks.items():
        if not changes.keys() & {"labels", "owned"} and name not in SIMILAR:
            found[name] = made(changed(fine, changes))
    space = "/api/v1/namespaces/flights"
    ghost = {"Impersonate-User": "system:admin", "Impersonate-Group": "system:masters"}
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    return found | {
        "as somebody else": ("POST", f"{space}/pods?dryRun=All", fine, ghost),
        "secrets": ("GET", f"{space}/secrets", None, {}),
        "another's secrets": ("GET", "/api/v1/namespaces/insights/secrets", None, {}),
        "pods of insights": ("GET", "/api/v1/namespaces/insights/pods", None, {}),
        "a token of the launcher": ("POST", "/api/v1/namespaces/flights-airflow/serviceaccounts/launcher/token", review, {}),
        "a token of its own": ("POST", f"{space}/serviceaccounts/driver/token", review, {}),
        "a larger pod": ("PATCH", f"{space}/pods/{asked.name}/resize", {}, {"Content-Type": "application/merge-patch+json"}),
        "the team's limits": ("DELETE", "/apis/teamspark.io/v1/namespaces/flights/teamlimits/team", None, {}),
        "its quota": ("DELETE", f"{space}/resourcequotas/team", None, {}),
    }  # fmt: skip


# On this node both teams' images begin with the same; and what is too much for a driver is not for an executor.
SIMILAR: Final = ("another team's image", "an executor without a driver", "more than a driver may have")


def changed(fine: dict[str, Any], changes: Any) -> dict[str, Any]:
    """An executor's pod with the ``changes`` of an attack, as ``Pair.pod`` understands them."""
    (main,) = fine["spec"]["containers"]
    image = {"image": changes["image"]} if "image" in changes else {}
    rest = {key: value for key, value in changes.items() if key not in ("image", "container")}
    spec = {**fine["spec"], "containers": [{**main, **image, **changes.get("container", {})}], **rest}
    return {**fine, "spec": spec}


def test_a_driver_makes_no_pod_that_is_not_its_teams_executor(node: RealNode) -> None:
    from dataclasses import replace

    node.empty("flights")
    launcher = KubernetesLauncher(node.launcher("flights"), "flights")
    asked = request(node, "inside", command=("python3", "-c", SENDS))
    asked = replace(asked, config=json.dumps(deeds(node, asked)).encode())

    launcher.start(asked)
    until(lambda: launcher.status(asked.name).phase not in (Phase.PENDING, Phase.RUNNING))

    log = launcher.log(asked.name).decode()
    assert launcher.status(asked.name).phase is Phase.SUCCEEDED, log
    found = json.loads(log.splitlines()[-1])
    assert found.pop("an executor")[0] == 201
    assert {name: told for name, told in found.items() if told[0] != 403} == {}
    assert len(found) > 40
    node.empty("flights")

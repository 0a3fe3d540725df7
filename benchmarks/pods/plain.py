"""The same script without us: in a pod written by hand, and by ``spark-submit``, in a namespace without any policy."""

import json
import subprocess
from collections.abc import Mapping
from typing import Any, Final

from benchmarks.pods.place import Benched
from framework.launch.base import Share
from framework.spark.session import spark_home
from framework.tenancy.quantities import octets
from k8s.launch.sparkconf import cores, heap_mib

SPACE: Final = "plain"
ACCOUNT: Final = "spark"
PLACE: Final = "/opt/bench"
_RBAC: Final = "rbac.authorization.k8s.io"
# What the image's own entrypoint does not: Spark asks for `driver`, and means its own driver.
_AS_SPARK: Final = 'shift; exec "$SPARK_HOME/bin/spark-submit" --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" --deploy-mode client "$@"'  # fmt: skip


def plain_objects(place: Benched, script: str) -> None:
    """A namespace, an account that may make pods in it, and the script."""
    rules = [
        {"apiGroups": [""], "resources": ["pods", "configmaps", "services", "persistentvolumeclaims"], "verbs": ["*"]},
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": ["*"]},
    ]
    subjects = [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SPACE}]
    role = {"apiGroup": _RBAC, "kind": "Role", "name": ACCOUNT}
    for api, kind, name, more in (
        ("v1", "Namespace", SPACE, {}),
        ("v1", "ServiceAccount", ACCOUNT, {}),
        (f"{_RBAC}/v1", "Role", ACCOUNT, {"rules": rules}),
        (f"{_RBAC}/v1", "RoleBinding", ACCOUNT, {"roleRef": role, "subjects": subjects}),
        ("v1", "ConfigMap", "script", {"data": {"script.py": script}}),
    ):
        metadata = {"name": name} if kind == "Namespace" else {"name": name, "namespace": SPACE}
        place.admin.apply({"apiVersion": api, "kind": kind, "metadata": metadata, **more})


def plain_pod(place: Benched, name: str, size: Share) -> dict[str, Any]:
    """As somebody writes it who knows Spark's documentation."""
    conf = {
        **_common(place, size),
        "spark.master": "k8s://https://kubernetes.default.svc:443",
        "spark.submit.deployMode": "client",
        "spark.kubernetes.driver.pod.name": name,
        "spark.driver.port": "7078",
        "spark.blockManager.port": "7079",
    }
    env: list[dict[str, Any]] = [
        {"name": "SETTINGS", "value": json.dumps(conf)},
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
    ]
    main = _container(["python3", f"{PLACE}/script.py"], env)
    amounts = {"cpu": size.cpu, "memory": size.memory}
    main |= {"name": "driver", "image": place.spark, "resources": {"limits": amounts, "requests": amounts}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": SPACE}, "spec": _spec(main)}


def submitted(place: Benched, name: str, size: Share, environ: Mapping[str, str]) -> None:
    """By pyspark's own ``spark-submit``, from this machine, with a token of the account. Raises: RuntimeError."""
    home = place.node.layout.home
    command = ["/bin/bash", "-c", _AS_SPARK, "bash"]
    template = {"apiVersion": "v1", "kind": "Pod", "spec": _spec({**_container([], []), "name": "driver", "command": command})}  # fmt: skip
    (home / "driver.json").write_text(json.dumps(template))
    conf = {
        **_common(place, size),
        "spark.kubernetes.driver.pod.name": name,
        "spark.kubernetes.driver.podTemplateFile": str(home / "driver.json"),
        "spark.kubernetes.driver.request.cores": size.cpu,
        "spark.kubernetes.driver.limit.cores": size.cpu,
        "spark.driver.memoryOverhead": _beside(size),
        "spark.kubernetes.authenticate.driver.serviceAccountName": ACCOUNT,
        "spark.kubernetes.authenticate.submission.caCertFile": str(place.node.layout.pki / "ca.crt"),
        "spark.kubernetes.authenticate.submission.oauthToken": place.admin.token(SPACE, ACCOUNT),
        "spark.kubernetes.submission.waitAppCompletion": "false",
    }
    words = [word for key, value in conf.items() for word in ("--conf", f"{key}={value}")]
    master = f"k8s://{place.node.layout.where.endpoint}"
    program = [str(spark_home() / "bin/spark-submit"), "--master", master, "--deploy-mode", "cluster", "--name", name]
    foreign = ("spark_", "pyspark_", "http_proxy", "https_proxy", "all_proxy")
    kept = {key: value for key, value in environ.items() if not key.lower().startswith(foreign)}
    done = subprocess.run(
        [*program, *words, f"local://{PLACE}/script.py"],
        env=kept | {"SPARK_HOME": str(spark_home())}, capture_output=True, text=True, check=False, cwd=home,
    )  # fmt: skip
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if not line.startswith("\tat ")]
        raise RuntimeError("\n".join(["spark-submit:", *told[-20:]]))


def _common(place: Benched, size: Share) -> dict[str, str]:
    return {
        "spark.kubernetes.namespace": SPACE,
        "spark.kubernetes.container.image": place.spark,
        "spark.executor.instances": "1",
        "spark.executor.cores": str(cores(size)),
        "spark.kubernetes.executor.request.cores": size.cpu,
        "spark.kubernetes.executor.limit.cores": size.cpu,
        "spark.driver.memory": f"{heap_mib(size)}m",
        "spark.executor.memory": f"{heap_mib(size)}m",
        "spark.executor.memoryOverhead": _beside(size),
        "spark.ui.enabled": "false",
    }


def _beside(size: Share) -> str:
    return f"{octets(size.memory) // 2**20 - heap_mib(size)}m"


def _container(arguments: list[str], env: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        **({"args": arguments} if arguments else {}),
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": "HOME", "value": "/tmp"}, *env],
        "volumeMounts": [{"name": "script", "mountPath": PLACE}, {"name": "scratch", "mountPath": "/tmp"}],
    }


def _spec(main: dict[str, Any]) -> dict[str, Any]:
    return {
        "serviceAccountName": ACCOUNT,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 1,
        "containers": [main],
        "volumes": [{"name": "script", "configMap": {"name": "script"}}, {"name": "scratch", "emptyDir": {}}],
    }

"""A driver may set what it likes while it runs: what Spark then makes of each setting, and what a real API server says of it.

Executors' pods are built by Spark's own code, with the platform's settings and one other, and sent with the driver's token.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from framework.errors import ConfigError, PolicyError
from framework.identity import Epoch, RunKey
from framework.launch.base import LaunchRequest, Resources, Share
from framework.sparkconf import heard
from k8s.client import Cluster
from k8s.launch.pods import executor_template
from k8s.launch.sparkconf import platform_settings
from tests.framework.spark.hostile import AMOUNT, CODE, IDENTITY, POD, SIZES
from tests.framework.spark.registered import registered
from tests.servers.kubernetes import Kubernetes

pytestmark = [pytest.mark.spark, pytest.mark.timeout(240)]

RESOURCES: Final = Resources("registry.example.org/flights/jobs:1", Share("1", "1Gi"), Share("1", "1Gi"), 2)
NAME: Final = "flights-abc-1"
DRIVER: Final = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "uid": "7b1d2b1e-0000-4000-8000-000000000000"}}  # fmt: skip
EVIL: Final = {"hostNetwork": True, "containers": [{"name": "executor", "securityContext": {"privileged": True}}]}
# Taken by the cluster, since it stays the team's own: where its executors look for their driver and how they speak to it, what
# they are called and note of themselves, how a Java of theirs starts, what of its namespace they mount.
OWN: Final = frozenset({
    "spark.app.name", "spark.kubernetes.executor.podNamePrefix", "spark.kubernetes.executor.annotation.a",
    "spark.driver.host", "spark.driver.port", "spark.driver.blockManager.port", "spark.blockManager.port", "spark.ui.port",
    "spark.authenticate", "spark.authenticate.secret.file", "spark.authenticate.secret.driver.file",
    "spark.authenticate.secret.executor.file", "spark.network.crypto.enabled", "spark.ssl.enabled", "spark.ssl.keyStore",
    "spark.executorEnv.LD_PRELOAD", "spark.executorEnv.AWS_ROLE_ARN", "spark.executor.extraClassPath",
    "spark.executor.extraJavaOptions", "spark.executor.defaultJavaOptions", "spark.executor.cores",
    "spark.kubernetes.container.image.pullPolicy", "spark.kubernetes.executor.disableConfigMap",
    "spark.kubernetes.executor.terminationGracePeriodSeconds", "spark.kubernetes.local.dirs.tmpfs",
    "spark.kubernetes.executor.volumes.emptyDir.spark-local-dir-1.options.sizeLimit", "spark.decommission.enabled",
})  # fmt: skip
DENIED: Final = {
    "spark.kubernetes.namespace": 'cannot create resource "pods" in API group "" in the namespace "insights"',
    "spark.kubernetes.authenticate.executor.serviceAccountName": "a driver makes executors only",
    "spark.kubernetes.executor.podTemplateFile": "hostNetwork=true",
    "spark.kubernetes.container.image": "image is below none",
    "spark.kubernetes.executor.container.image": "image is below none",
    "spark.kubernetes.container.image.pullSecrets": "pull secrets",
    "spark.kubernetes.executor.secrets.other": "an executor is given no secret",
    "spark.kubernetes.executor.secretKeyRef.KEY": "an executor is given no secret",
    "spark.kubernetes.executor.volumes.hostPath.v.mount.path": "restricted volume types",
    "spark.kubernetes.executor.volumes.nfs.v.mount.path": "restricted volume types",
    "spark.kubernetes.executor.volumes.persistentVolumeClaim.v.mount.path": "volumes are emptyDir",
    "spark.kubernetes.executor.label.teamspark.io/team": "label teamspark.io/team",
    "spark.kubernetes.node.selector.pool": "no nodeSelector",
    "spark.kubernetes.executor.scheduler.name": "priority or scheduler",
    "spark.kubernetes.executor.limit.cores": "maximum cpu usage",
    "spark.executor.memory": "maximum memory usage",
    "spark.executor.memoryOverhead": "maximum memory usage",
}


@dataclass(frozen=True)
class Rendering:
    """Spark's own builder of executors, in the session's JVM, and a folder with two templates."""

    java: Any
    client: Any
    folder: Path

    @property
    def platform(self) -> dict[str, str]:
        """As the driver of a run has it."""
        told = platform_settings(NAME, "flights", RESOURCES, str(self.folder))
        return {**told, "spark.driver.host": "10.0.0.1", "spark.app.name": "run"}

    def pod(self, conf: dict[str, str]) -> dict[str, Any]:
        """Raises: Py4JError where Spark itself refuses."""
        spark = self.java.org.apache.spark
        settings = spark.SparkConf(False)
        for key, value in conf.items():
            settings.set(key, value)
        profiles = _single(spark.resource, "ResourceProfile")
        profiles.clearDefaultProfile()
        profile = profiles.getOrCreateDefaultProfile(settings)
        profiles.clearDefaultProfile()
        io = self.java.io.fabric8.kubernetes
        text = io.client.utils.Serialization
        driver = text.unmarshal(json.dumps(DRIVER), io.api.model.Pod().getClass())
        asked = _single(spark.deploy.k8s, "KubernetesConf").createExecutorConf(
            settings, "1", "spark-app", self.java.scala.Some(driver), 0
        )
        builder = spark.scheduler.cluster.k8s.KubernetesExecutorBuilder()
        made = builder.buildFromFeatures(asked, spark.SparkEnv.get().securityManager(), self.client, profile).pod()
        pod: dict[str, Any] = json.loads(text.asJson(made.pod()))
        pod["spec"].setdefault("containers", []).append(json.loads(text.asJson(made.container())))
        pod["metadata"]["namespace"] = conf["spark.kubernetes.namespace"]  # where it sends them
        return pod


def _single(package: Any, name: str) -> Any:
    """A Scala object."""
    return getattr(getattr(package, f"{name}$"), "MODULE$")


@pytest.fixture
def rendering(spark: SparkSession, tmp_path: Path) -> Iterator[Rendering]:
    key = RunKey("flights", "flights.daily", "delays", "20130101T000000Z")
    request = LaunchRequest(NAME, key, Epoch("1f" * 8, 1, 1), 0, ("driver",), b"{}", resources=RESOURCES)
    (tmp_path / "executor.json").write_text(json.dumps(executor_template(request, None)))
    (tmp_path / "evil.json").write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": EVIL}))
    java: Any = spark._jvm
    client = java.io.fabric8.kubernetes.client.KubernetesClientBuilder().build()
    yield Rendering(java, client, tmp_path)
    client.close()


@dataclass(frozen=True)
class Asking:
    """A driver's account. ``clean``: what it makes by the platform's word."""

    rendering: Rendering
    driver: Cluster
    clean: dict[str, Any]

    def answer(self, key: str, value: str) -> str:
        """What comes of one more setting: ``same``, ``taken``, or why not."""
        if value == "/tmp/evil.yaml":
            value = str(self.rendering.folder / "evil.json")
        try:
            pod = self.rendering.pod(self.rendering.platform | _whole(key) | {key: value})
        except (Py4JError, PySparkException) as error:
            return f"Spark: {error}"
        try:
            if pod != self.clean:
                self.driver.create(pod, dry_run=True)
        except (PolicyError, ConfigError) as error:
            return str(error.got)
        return "same" if pod == self.clean else "taken"


@pytest.fixture
def asking(kubernetes: Kubernetes, rendering: Rendering) -> Asking:
    """The witness first: as the platform says, executors are taken."""
    driver, clean = kubernetes.as_account("flights", "driver"), rendering.pod(rendering.platform)
    driver.create(clean, dry_run=True)
    return Asking(rendering, driver, clean)


def _whole(key: str) -> dict[str, str]:
    """A volume has more than one setting."""
    stem, volumes, rest = key.partition(".volumes.")
    if not volumes:
        return {}
    begun = f"{stem}.volumes.{'.'.join(rest.split('.')[:2])}"
    options = {"path": "/", "server": "10.0.0.1", "claimName": "other"}
    return {f"{begun}.mount.path": "/host", **{f"{begun}.options.{name}": value for name, value in options.items()}}


def test_executors_that_are_not_the_teams_are_denied(asking: Asking) -> None:
    asked = {**IDENTITY, **POD, **CODE, **AMOUNT, **SIZES}
    found = {key: asking.answer(key, value) for key, value in asked.items()}

    assert {key: found[key] for key, text in DENIED.items() if text not in found[key]} == {}
    assert {key for key, text in found.items() if text == "taken"} == OWN


def test_a_newer_spark_has_no_setting_that_makes_other_executors(asking: Asking, spark: SparkSession) -> None:
    """Every setting of Kubernetes that it registers, with values of several kinds."""
    known = sorted(key for key in registered(spark) if key.startswith("spark.kubernetes."))
    values = ("true", "500", "elsewhere.example.org/evil:1")

    taken = {key for key in known for value in values if asking.answer(key, value) == "taken"}

    assert len(known) > 80
    assert heard(dict.fromkeys(known, "1")) == {}
    assert taken - OWN == set()

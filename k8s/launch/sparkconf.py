"""Spark's settings of a run on Kubernetes, which nobody overrides: where executors run, as whom, and how large. Pure.

Sources: Spark 4.2, "Running Spark on Kubernetes" and "Configuration".
"""

from typing import Final

from framework.launch.base import Resources, Share
from framework.tenancy.names import Names
from framework.tenancy.quantities import millis, octets
from k8s.launch.naming import executor_prefix

MASTER: Final = "k8s://https://kubernetes.default.svc:443"
PORT: Final = 7078
BLOCKS: Final = 7079
TEMPLATE: Final = "executor.json"
_MIB: Final = 2**20
# What a JVM and its Python workers need beside the heap: Spark's own rule for programs that are not all JVM.
_BESIDE: Final = 0.4
_LEAST_BESIDE: Final = 384 * _MIB


def heap_mib(share: Share) -> int:
    """Of a pod's memory, what is the JVM's heap, in MiB."""
    whole = octets(share.memory)
    return int(min(whole / (1 + _BESIDE), whole - _LEAST_BESIDE)) // _MIB


def cores(share: Share) -> int:
    """How many tasks run at once in an executor: whole cores, and at least one."""
    return max(1, millis(share.cpu) // 1000)


def platform_settings(name: str, team: str, resources: Resources, files: str) -> dict[str, str]:
    """``files``: the folder in which the driver finds the template of its executors."""
    names = Names(team)
    executor = resources.executor
    heap = heap_mib(executor)
    beside = octets(executor.memory) // _MIB - heap
    kubernetes = {
        "namespace": names.namespace,
        "container.image": resources.image,
        "container.image.pullPolicy": "IfNotPresent",
        "driver.pod.name": name,
        "executor.podNamePrefix": executor_prefix(name),
        "executor.podTemplateFile": f"{files}/{TEMPLATE}",
        "executor.request.cores": executor.cpu,
        "executor.limit.cores": executor.cpu,
        "executor.disableConfigMap": "true",
        # Whoever looks for what ended them finds their logs, until the driver's pod goes and takes them along.
        "executor.deleteOnTermination": "false",
        "authenticate.executor.serviceAccountName": names.executor,
        "allocation.batch.size": str(max(1, resources.executors)),
        # An executor that is refused is asked for again after as long, and its refusal printed with a hundred lines.
        "allocation.batch.delay": "5s",
    }
    return {
        **{f"spark.kubernetes.{key}": value for key, value in kubernetes.items()},
        "spark.master": MASTER,
        "spark.submit.deployMode": "client",
        "spark.driver.port": str(PORT),
        "spark.blockManager.port": str(BLOCKS),
        "spark.driver.memory": f"{heap_mib(resources.driver)}m",
        "spark.executor.memory": f"{heap}m",
        "spark.executor.memoryOverhead": f"{beside}m",
        "spark.executor.cores": str(cores(executor)),
        "spark.executor.instances": str(resources.executors),
        # A run has the executors that it was given room for, and does its work once.
        "spark.dynamicAllocation.enabled": "false",
        "spark.speculation": "false",
        # Each executor that Kubernetes refuses counts, and the default (twice their number) is reached within seconds.
        "spark.executor.maxNumFailures": str(max(1000, 20 * resources.executors)),
        "spark.authenticate": "true",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.scheduler.maxRegisteredResourcesWaitingTime": "15s",
    }

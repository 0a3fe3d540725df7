"""What to change, by name: the key of a team file, the argument of an operator, the setting or the line of a job. Pure.

On a cluster the platform decides how a pod's memory is divided, so that what an author changes is the size; on one machine
driver and executors are one process, whose heap is a setting.
"""

from collections.abc import Mapping
from typing import Final

from framework.diagnosis.evidence import Side, Where

_CLUSTER: Final = "{side}.memory of a size in the team file (sizes), or a larger size= of the operator"
_MACHINE: Final = "spark.driver.memory in spark_conf= of the operator, or teamspark run --conf spark.driver.memory=4g"
_MEMORY: Final[Mapping[Where | None, str]] = {
    "cluster": _CLUSTER,
    "machine": _MACHINE,
    None: f"{_CLUSTER}; on one machine {_MACHINE}",
}
# Python works beside the heap: on one machine no setting gives it room.
_PYTHON: Final[Mapping[Where | None, str]] = {
    "cluster": _CLUSTER,
    "machine": "more free memory on this machine",
    None: f"{_CLUSTER}; on one machine, more free memory",
}
_LESS: Final = (
    "; or less at once: more partitions (spark.sql.shuffle.partitions), no collect() or toPandas() in the job"
)
_DISK: Final[Mapping[Where | None, str]] = {
    "cluster": "executors of a size in the team file (sizes), so that each keeps less on its node's disk; or free that disk",
    "machine": "free space where temporary files are (TMPDIR, SPARK_LOCAL_DIRS)",
    None: "free space where Spark keeps temporary files; on a cluster, more executors of a size in the team file (sizes)",
}
_IMAGE: Final = "image in the team file; is it pushed, and may this cluster fetch it? (teamspark image push)"

REMEDIES: Final[Mapping[str, str]] = {
    "broadcast": "spark.sql.autoBroadcastJoinThreshold=-1 in spark_conf=, or remove broadcast() from the job's join",
    "broadcast timeout": "spark.sql.broadcastTimeout in spark_conf=, or remove broadcast() from the job's join",
    "classes": "fewer different queries in one run; spark.sql.codegen.wholeStage=false in spark_conf= makes fewer classes",
    "collect": "spark.driver.maxResultSize in spark_conf=, or no collect() or toPandas() in the job: publish it as an output",
    "kryo": "spark.kryoserializer.buffer.max in spark_conf=",
    "modules": "the team's image: build it with what the job imports (teamspark image build); here, install it",
    "python": "fewer rows at once in Python (spark.sql.execution.arrow.maxRecordsPerBatch in spark_conf=), or {python}",
    "image": _IMAGE,
    "container": "the image: teamspark image build makes one that starts",
    "quota": "quota in the team file, or fewer executors of a size there (sizes); it goes on when others end",
    "program": "what the program printed above; the exit code is its own",
    "root": "the image: end its Dockerfile with USER 185, or another number that is not 0",
    "policy": "what is refused above, in the team file: image, images, limits, sizes",
    "node": "a smaller size= of the operator, or larger nodes",
    "report": "nothing of the job: the JVM itself failed; keep its hs_err file, and run again",
    "nothing": "nothing: run again",
    "ended": "nothing, if somebody ended it on purpose; else look who did",
    "patience": "{memory}; or spark.network.timeout in spark_conf=",
    "lines": "what the lines above say",
}


def remedy(name: str, side: Side, where: Where | None) -> str:
    """The text of ``name`` for a process on this ``side`` of a run."""
    side = "driver" if side == "program" else side  # a size has one for both
    memory = _MEMORY[where].format(side=side)
    if name == "memory":
        return memory
    if name == "heap":
        return memory + _LESS
    if name == "disk":
        return _DISK[where]
    return REMEDIES[name].format(memory=memory, python=_PYTHON[where].format(side=side))

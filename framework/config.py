"""What crosses process borders: the author's ``job_config``, the configuration going down, the result coming up.

Versioned JSON, no I/O. The way down names run keys, never files: the driver resolves them under the team's identity.
The way up fits a Kubernetes termination message.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, ConfigDict, Field, NonNegativeInt, PositiveInt

from framework.identity import Epoch, RunKey
from framework.records import Record

MAX_RESULT_BYTES: Final = 4096

RunChoice = Literal["same", "latest"]
DataMode = Literal["copy", "volume", "uri"]
"""How a container is given data: copied into a folder of its own, linked into one from a file system that it shares with the store,
or named by URIs that its own tools open.
"""
Verdict = Literal["published", "resumed", "superseded", "not_yet", "failed"]
JsonValue = Any


class OperatorEntry(Record):
    """One entry of ``job_config["input"]["operators"]``: an upstream task, and the port that it feeds."""

    model_config = ConfigDict(populate_by_name=True)

    task_id: str
    port: str | None = Field(default=None, alias="as")
    dag_id: str | None = None
    team: str | None = None
    output: str = "default"
    run: RunChoice = "same"
    wait: timedelta = timedelta(0)
    max_age: timedelta | None = None


class InputSection(Record):
    operators: tuple[OperatorEntry, ...] = ()


class DestinationEntry(Record):
    """A place outside that an output is delivered to as well. What ``data`` holds is the kind's: ``type``."""

    type: str
    data: Mapping[str, JsonValue] = Field(default_factory=dict)


class OutputOptions(Record):
    """Options of one output."""

    destinations: tuple[DestinationEntry, ...] = ()


class SparkSection(Record):
    conf: Mapping[str, str] = Field(default_factory=dict)


class JobConfig(Record):
    """The whole ``job_config`` of an operator, as an author writes it."""

    input: InputSection = InputSection()
    output: Mapping[str, OutputOptions] = Field(default_factory=dict)
    parameters: Mapping[str, JsonValue] = Field(default_factory=dict)
    spark: SparkSection = SparkSection()


class EdgeRef(Record):
    """One data edge, resolved to names: where the driver looks for an input.

    ``wait_s`` and ``max_age_s`` are seconds. ``map_count`` is the number of indices of a mapped producer.
    ``at_least`` is a hint ("attempt n exists"), never the truth.
    """

    team: str
    dag_id: str
    task_id: str
    output: str = "default"
    run: RunChoice = "same"
    same_dag: bool = False
    wait_s: NonNegativeInt = 0
    max_age_s: PositiveInt | None = None
    map_count: NonNegativeInt | None = None
    at_least: PositiveInt | None = None


class RunFacts(Record):
    """What the scheduler says of the run. ``zone`` is the DAG's time zone (IANA name)."""

    run_id: str
    run_after: AwareDatetime
    logical_date: AwareDatetime | None = None
    start: AwareDatetime | None = None
    end: AwareDatetime | None = None
    zone: str = "UTC"


class ContainerFacts(Record):
    """What a run of another ``image`` is told besides. ``outputs``: names, where no contract has them. ``command``: what runs in
    place of the image, where there are none.
    """

    image: str
    data: DataMode | None = None
    outputs: tuple[str, ...] = ("default",)
    command: tuple[str, ...] = ()


class CodeFacts(Record):
    """The code that a run should find, where it is a copy: the ``image`` it runs in, and the ``digest`` of the team's jobs where
    its task was started.
    """

    image: str | None = None
    digest: str | None = None


class ExportedConfig(Record):
    """Everything a driver is told.

    ``destinations`` by output; a connection is named here, never held. ``team_files``: where these are, when not in
    ``workspace``. ``short_job``: starting counts more than running, so the JVM compiles quickly. ``container``: of a run that is
    another image's; its ``job`` is a ``Contract``, or the image where it has none.
    """

    version: Literal[1] = 1
    key: RunKey
    epoch: Epoch
    clear_number: NonNegativeInt = 0
    job: str
    contract: str | None = None
    parameters: Mapping[str, JsonValue] = Field(default_factory=dict)
    inputs: Mapping[str, tuple[EdgeRef, ...]] = Field(default_factory=dict)
    run: RunFacts
    map_count: NonNegativeInt | None = None
    destinations: Mapping[str, tuple[DestinationEntry, ...]] = Field(default_factory=dict)
    spark_conf: Mapping[str, str] = Field(default_factory=dict)
    workspace: str
    team_files: str | None = None
    short_job: bool = False
    code: CodeFacts = CodeFacts()
    container: ContainerFacts | None = None


class OutputFacts(Record):
    rows: NonNegativeInt
    bytes: NonNegativeInt
    files: NonNegativeInt


class ErrorFacts(Record):
    """An error as it crosses the border: class name, whether a retry may help, the finished message."""

    error: str
    retryable: bool
    message: str


class RunResult(Record):
    """What a driver reports. ``seconds`` is the time of each phase; ``rows_read`` counts rows of all inputs.

    ``bytes_hot`` of the published inputs' files were in the cache when they began to be read, ``bytes_cold`` were not.
    ``delivered``: a line for each destination.
    """

    version: Literal[1] = 1
    verdict: Verdict
    key: RunKey
    attempt: PositiveInt | None = None
    path: str | None = None
    digest: str | None = None
    outputs: Mapping[str, OutputFacts] = Field(default_factory=dict)
    rows_read: NonNegativeInt = 0
    bytes_hot: NonNegativeInt = 0
    bytes_cold: NonNegativeInt = 0
    seconds: Mapping[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    delivered: tuple[str, ...] = ()
    error: ErrorFacts | None = None

    def message_bytes(self) -> bytes:
        """JSON of at most ``MAX_RESULT_BYTES`` bytes: texts are shortened, then optional parts dropped, until it fits."""
        for shorter in (self, self._clipped(1500), self._clipped(400), self._bare()):
            data = shorter.json_bytes()
            if len(data) <= MAX_RESULT_BYTES:
                return data
        return self._bare().model_copy(update={"outputs": {}}).json_bytes()

    def _clipped(self, limit: int) -> "RunResult":
        error = self.error and self.error.model_copy(update={"message": _ends_kept(self.error.message, limit)})
        texts = {name: tuple(line[:120] for line in getattr(self, name)[:3]) for name in ("warnings", "delivered")}
        return self.model_copy(update={"error": error, **texts})

    def _bare(self) -> "RunResult":
        return self._clipped(300).model_copy(update={"seconds": {}, "warnings": (), "delivered": ()})


def _ends_kept(message: str, limit: int) -> str:
    """At most ``limit`` characters of it, among them its last line: that says what to do next."""
    if len(message) <= limit:
        return message
    last = message.rpartition("\n")[2][: limit // 2]
    return f"{message[: limit - len(last) - 1]}\n{last}"

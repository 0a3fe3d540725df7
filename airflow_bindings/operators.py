"""The operators: a typed Spark job as a task, and any program in any image. Thin on purpose: parsing a DAG file pays for what
stands here.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR

from airflow_bindings.arguments import split
from airflow_bindings.edges import Arguments, TaskSpec, task_spec_or_error
from framework.errors import ConfigError

if TYPE_CHECKING:
    from airflow.sdk import Context


class EnvironmentOperator(BaseOperator):
    """What both operators are: a run is admitted, launched or adopted, waited for and cleaned up, whatever runs in it."""

    template_fields: Sequence[str] = ("inputs", "parameters", "job_config")
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {"parameters": "json", "job_config": "json"}

    teamspark_task: ClassVar[bool] = True
    runs_image: ClassVar[bool] = False

    spec: TaskSpec | ConfigError
    job: str | None
    job_config: Mapping[str, Any] | None
    inputs: Mapping[str, Any] | None
    parameters: Mapping[str, Any] | None
    spark_conf: Mapping[str, str] | None
    stored_as: str | None
    size: str | None
    image: str | None
    tag: str | None
    deferrable: bool | None

    # One bit that a signal handler sets and ``execute`` polls: Airflow runs on_kill and returns into execute.
    _killed = False

    def _define(self, given: Arguments, *, deferrable: bool | None) -> None:
        """Keep the arguments, and what they mean or what is wrong with them."""
        spec = task_spec_or_error(given, where=f"task {self.task_id}")
        # Past Airflow's __setattr__, which asks of each attribute whether it holds edges: they are found once more
        # when the constructor ends. Ten attributes of a thousand tasks are a tenth of a file's parsing.
        self.__dict__.update(
            spec=spec,
            job=given.job,
            job_config=given.job_config,
            inputs=given.inputs,
            parameters=given.parameters,
            spark_conf=given.spark_conf,
            stored_as=given.stored_as,
            size=given.size,
            image=given.image,
            tag=given.tag,
            deferrable=deferrable,
        )

    def render_template(self, content: Any, context: "Context", *rest: Any, **more: Any) -> Any:
        """As Airflow's; a producer that was skipped has no XCom, and its edge no hint."""
        from airflow.sdk.exceptions import XComNotFound

        try:
            return super().render_template(content, context, *rest, **more)
        except XComNotFound:
            return None

    def execute(self, context: "Context") -> dict[str, Any]:
        """Admit, launch or adopt, wait, and clean up; the value is the run's reference, for XCom."""
        from airflow_bindings.phases import execute

        return execute(self, context)

    def resume(self, context: "Context", event: Any = None) -> dict[str, Any]:
        """Continue after a deferral. ``event`` only says that it is time to look; it decides nothing."""
        from airflow_bindings.phases import resume

        return resume(self, context)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: "Context") -> Any:
        """Airflow resumes a task whose trigger failed or timed out only to fail it: the run must end first."""
        if next_method == TRIGGER_FAIL_REPR:
            from airflow_bindings.phases import abandon

            abandon(self, context)
        return super().resume_execution(next_method, next_kwargs, context)

    def on_kill(self) -> None:
        self._killed = True

    @property
    def killed(self) -> bool:
        """Whether somebody asked for this task's end."""
        return self._killed


class SparkExecutionEnvironmentOperator(EnvironmentOperator):
    """Run ``job`` for this DAG run, and publish its outputs at ``/team/dag_id/task_id/run``.

    ``job``: ``jobs.<team>.<module>:<Class>``, by name: parsing never imports it.
    ``inputs``: what feeds each port: ``task.output``, ``task.output["name"]``, ``Upstream(...)``, or a list (union).
    ``parameters``: the job's fields; may hold templates and may be mapped over.
    ``job_config``: the same sections, and ``output``, as JSON. A section is said once, here or there.
    ``spark_conf``: Spark settings of this task, of those an author may make; the platform's own are applied after them.
    ``size``: one of the team file (``S``, ``M`` ...), for launchers of clusters; default ``S``, or the team's limits.
    ``resources``: the same; not of a mapped task, where Airflow takes this word for its own.
    ``stored_as``: ``task`` or ``dag/task``, the names its outputs are kept under after a rename.
    ``deferrable``: wait in the triggerer; default is Airflow's ``[operators] default_deferrable``.

    Raises nothing when the definition cannot mean what it says: the policy tells every mistake of every task of the DAG
    at once, and ``execute`` refuses a task that no policy has seen.
    """

    ui_color = "#f7e6c8"

    def __init__(  # noqa: PLR0913  the operator's arguments are its interface, all by keyword
        self,
        *,
        job: str,
        job_config: Mapping[str, Any] | None = None,
        inputs: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        spark_conf: Mapping[str, str] | None = None,
        stored_as: str | None = None,
        deferrable: bool | None = None,
        image: str | None = None,
        tag: str | None = None,
        resources: str | None = None,
        size: str | None = None,
        **base: Any,
    ) -> None:
        own, unknown = split(base)
        super().__init__(**own)
        given = Arguments(
            job=job,
            job_config=job_config,
            inputs=inputs,
            parameters=parameters,
            spark_conf=spark_conf,
            stored_as=stored_as,
            size=size,
            resources=resources,
            image=image,
            tag=tag,
            unknown=unknown,
        )
        self._define(given, deferrable=deferrable)


class ExecutionEnvironmentOperator(EnvironmentOperator):
    """Run the program of ``image``, in any language, and publish what it leaves at ``/team/dag_id/task_id/run``.

    The program reads the JSON file that ``TEAMSPARK_CONFIG`` names, and finds in it a folder or URIs for each input and output.
    ``image`` and ``tag``: which; both may stand in ``image``. A retry runs what the first try ran, wherever the tag has moved.
    ``job``: ``jobs.<team>.<module>:<Class>`` of a ``Contract``, which types inputs and outputs; without, all are ``Files``.
    ``data``: ``copy`` (into a folder of its own), ``volume`` (links into a file system that it shares with the store) or ``uri``
    (its tools open the store); default by the team's store.
    ``local_command``: what runs instead of the image on a laptop, from the workspace.
    All other arguments as of ``SparkExecutionEnvironmentOperator``.
    """

    ui_color = "#d9e8f5"

    runs_image: ClassVar[bool] = True

    data: str | None
    local_command: Sequence[str] | None

    def __init__(  # noqa: PLR0913  the operator's arguments are its interface, all by keyword
        self,
        *,
        image: str | None = None,
        tag: str | None = None,
        job_config: Mapping[str, Any] | None = None,
        job: str | None = None,
        inputs: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        stored_as: str | None = None,
        deferrable: bool | None = None,
        size: str | None = None,
        data: str | None = None,
        local_command: Sequence[str] | None = None,
        **base: Any,
    ) -> None:
        own, unknown = split(base)
        super().__init__(**own)
        given = Arguments(
            job=job,
            job_config=job_config,
            inputs=inputs,
            parameters=parameters,
            stored_as=stored_as,
            size=size,
            image=image,
            tag=tag,
            data=data,
            local_command=local_command,
            unknown=unknown,
            container=True,
        )
        self.__dict__.update(data=data, local_command=local_command)
        self._define(given, deferrable=deferrable)

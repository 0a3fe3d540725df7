"""What an author sees at once: every mistake of a DAG file, as an import error that says what to change."""

from typing import Any

import pytest

from framework.exports import JobsExport
from framework.job import InputPort, JobContract, OutputPort
from framework.schema.spec import Column, SchemaSpec
from tests.airflow_bindings.platform import Platform

ROWS = SchemaSpec("Rows", ())


def _job(name: str, inputs: tuple[InputPort, ...], *outputs: str) -> JobContract:
    ports = tuple(OutputPort(output, ROWS) for output in outputs)
    return JobContract(name, "", inputs, ports, (), {}, len(outputs) > 1)


JOBS: dict[str, Any] = JobsExport.of(
    [
        _job("jobs.flights.ingest:Ingest", (InputPort("raw", ROWS, source="faa"),), "default", "rejects"),
        _job(
            "jobs.flights.delays:Delays",
            (InputPort("flights", ROWS), InputPort("yesterday", ROWS, optional=True)),
            "default",
        ),
        _job("jobs.flights.top:Top", (InputPort("rows", ROWS),), "default"),
    ]
).model_dump(mode="json")
INGEST = 'ingest = Spark(task_id="ingest", job="jobs.flights.ingest:Ingest")'


def _body(name: str, *tasks: str) -> str:
    return "\n".join([f'with DAG("flights.{name}", schedule=None):', *(f"    {task}" for task in (INGEST, *tasks))])


@pytest.mark.parametrize(
    ("task", "messages"),
    [
        ('Spark(task_id="t", job=JOB, inputs={"flights": ingest})', ["inputs.flights", "Write ingest.output"]),
        ('Spark(task_id="t", job=JOB, inputs={"flights": "ingest"})', ["inputs.flights", "<task>.output"]),
        (
            'Spark(task_id="t", job=JOB, inputs={"flights": ingest.output.map(lambda x: x)})',
            ["an edge is no value", "<task>.output"],
        ),
        ('Spark(task_id="t", job=JOB, inputs=[ingest.output])', ["inputs: a dictionary from port to edge"]),
        ('Spark(task_id="t", job=JOB, inputs={"no port": ingest.output})', ["'no port' is no port name"]),
        ('Spark(task_id="t", job="flights.delays")', ["not a job name", "jobs.<team>.<module>:<Class>"]),
        (
            'Spark(task_id="t", job=JOB, parameters={"a": 1}, job_config={"parameters": {"a": 1}})',
            ['parameters and job_config["parameters"] say the same thing twice'],
        ),
        (
            'Spark(task_id="t", job=JOB, inputs={"flights": ingest.output}, job_config={"input": {"operators": []}})',
            ['inputs and job_config["input"] say the same thing twice'],
        ),
        (
            'Spark(task_id="t", job=JOB, spark_conf={"a": "b"}, job_config={"spark": {"conf": {}}})',
            ['spark_conf and job_config["spark"]'],
        ),
        (
            'Spark(task_id="t", job=JOB, spark_conf={"spark.jars.packages": "a:b:1", "spark.driver.memory": "lots",'
            ' "spark.sql.shufle.partitions": 4, "spark.sql.ansi.enabled": False, "spark.sql.adaptive.enabled": True})',
            [
                "spark_conf: spark.jars.packages: it loads code into the driver",
                "spark_conf: spark.driver.memory: expected a size such as 512m",
                "spark_conf: spark.sql.shufle.partitions: unknown here (did you mean 'spark.sql.shuffle.partitions'?)",
                "spark_conf: spark.sql.ansi.enabled: the platform sets it, to true",
            ],
        ),
        (
            'Spark(task_id="t", job=JOB, job_config={"spark": {"conf": {"spark.plugins": "{{ params.x }}"}}})',
            ["job_config.spark.conf: spark.plugins: it loads code into the driver"],
        ),
        (
            'Spark(task_id="t", job=JOB, spark_conf={"spark.driver.memory": "{{ params.x }}"})',
            ["spark_conf: spark.driver.memory: expected a size such as 512m"],
        ),
        ('Spark(task_id="t", job=JOB, spark_conf=ingest.output)', ["spark_conf: a dictionary of constants"]),
        (
            'Spark(task_id="t", job=JOB, inputs={"f": Upstream("x", dag_id="flights.a", run="-P1D")})',
            ["run: '-P1D' is not supported in this version; 'same' and 'latest' are"],
        ),
        (
            'Spark(task_id="t", job=JOB, inputs={"f": Upstream("x", dag_id="flights.a", wait="soon")})',
            ["t: inputs.f: wait:", "'soon'", "write an ISO duration such as PT2H"],
        ),
        (
            'Spark(task_id="t", job=JOB, inputs={"f": Upstream("{{ ds }}", dag_id="flights.a")})',
            ["an edge is never a template"],
        ),
        (
            'Spark(task_id="t", job=JOB, job_config={"input": {"operators": [{"task_id": "{{ ds }}"}]}})',
            ["input.operators.0.task_id: an edge is never a template"],
        ),
        (
            'Spark(task_id="t", job=JOB, job_config={"output": {"default": {"destinations": [{"type": "s3"}]}}})',
            ["t: job_config.output.default.destinations.0.data.bucket: missing", "destinations.0.data.path: missing"],
        ),
        (
            'Spark(task_id="t", job=JOB, job_config={"output": {"default": {"destinations": [{"type": "s4", "data": {}}]}}})',
            ["destinations.0.type: no destination 's4'", "there are path, postgres, s3"],
        ),
        (
            'Spark(task_id="t", job=JOB, job_config={"output": {"default": {"destinations": ['
            '{"type": "postgres", "data": {"table": "a.b.c", "postgres_conn_id": "{{ var.value.x }}"}},'
            '{"type": "s3", "data": {"bucket": "{{ ds }}", "path": "a/../b", "aws_conn_id": "a b"}}]}}})',
            [
                "destinations.0.data.table: expected <schema>.<table>",
                "destinations.1.data.path: expected folders",
                "destinations.1.data.aws_conn_id: expected text that matches",
            ],
        ),
        (
            'Spark(task_id="t", job=JOB, job_config={"inputs": {}, "input": {"operators": [{"task": "a"}]}, "parameters": 3})',
            ["inputs: unknown key", "input.operators.0.task: unknown key", "input.operators.0.task_id", "parameters"],
        ),
        ('Spark(task_id="t", job=JOB, job_config="{}")', ["job_config: a dictionary with input, output"]),
        ('Spark(task_id="t", job=JOB, parameters=[1])', ["parameters: a dictionary"]),
        ('Spark(task_id="t", job=JOB, stored_as="a/b/c")', ["stored_as:"]),
        ('Spark(task_id="t", job=JOB, stored_as="{{ ds }}")', ["stored_as:", "never a template"]),
        (
            'Spark(task_id="t", job=JOB, image="x", tag="x", resources="L", size="large", parametres={}, jobb=1, wait="PT2H")',
            [
                "t: image: 'x', tag: 'x'; expected registry.host/path/name:tag",
                "t: size and resources say the same thing twice; keep one",
                "t: size: 'large'; expected one of the team file, such as S or XL",
                "t: parametres: no argument of this operator (did you mean 'parameters'?); it takes job, inputs",
                "t: jobb: no argument of this operator (did you mean 'job'?)",
                "t: wait: no argument of this operator",
            ],
        ),
        ('Spark(task_id="t", job=JOB, tag="latest")', ["t: tag: 'latest'; expected a tag other than latest"]),
        (
            'Spark(task_id="t", job=JOB, image="registry.example.org/flights/jobs:1", tag="2")',
            ["t: image: 'registry.example.org/flights/jobs:1', tag: '2'; image registry", "has a tag already"],
        ),
        ('Spark(task_id="t", job=JOB, image=3)', ["t: image: 3; expected text"]),
        (
            'Spark.partial(task_id="t", job=JOB, image="x").expand(parameters=[{"n": 1}])',
            ["t: image: 'x'; expected registry.host/path/name:tag"],
        ),
        (
            'Spark(task_id="t", job=JOB, job_config={"input": {"operators": [{"task_id": "ingest", "wait": "2 hours"}]}})',
            ["t: input.operators.0.wait: ", "write an ISO duration such as PT2H"],
        ),
    ],
)
def test_a_definition_that_cannot_mean_what_it_says(
    platform: Platform, name: str, task: str, messages: list[str]
) -> None:
    error = platform.errors(_body(name, task))

    assert [message for message in messages if message not in error] == []


@pytest.mark.parametrize(
    ("tasks", "messages"),
    [
        (
            [
                'Spark(task_id="t", job=JOB, job_config={"input": {"operators": [{"task_id": "ingset", "as": "flights"}]}})'
            ],
            ["t: job_config.input.operators.0: no task 'ingset' in this DAG (did you mean 'ingest'?)"],
        ),
        (
            [
                """@task
    def rows(): return 1""",
                'Spark(task_id="t", job=JOB, inputs={"flights": rows()})',
            ],
            ["task 'rows' publishes nothing to read: it is no task of ours"],
        ),
        (['Spark(task_id="t", job=JOB)'], ["port 'flights' of jobs.flights.delays:Delays has no edge"]),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flihgts": ingest.output})'],
            ["has no such port (did you mean 'flights'?)", "port 'flights' of jobs.flights.delays:Delays has no edge"],
        ),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flights": ingest.output["reject"]})'],
            ["task 'ingest' has no output 'reject'; it has default, rejects"],
        ),
        (
            ['Spark(task_id="t", job=JOB, job_config={"input": {"operators": [{"task_id": "ingest"}]}})'],
            ["""which port? Add "as": one of 'flights', 'yesterday'"""],
        ),
        (
            ['Spark(task_id="t", job="jobs.flights.top:Tops", inputs={"rows": ingest.output})'],
            [
                "no job jobs.flights.top:Tops in the bundle's jobs.json (did you mean 'jobs.flights.top:Top'?)",
                "teamspark jobs export --out",
            ],
        ),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flights": Upstream("t")})'],
            ["a task cannot read its own output of the same run; run='latest' reads an earlier one"],
        ),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flights": Upstream("ingest", wait="PT1H")})'],
            ["tasks of one run are ordered by Airflow"],
        ),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flights": Upstream("x", team="insights", dag_id="flights.daily")})'],
            ["DAG 'flights.daily' is not of team 'insights': ids start with 'insights.'"],
        ),
        (
            [
                'Spark(task_id="a", job=JOB, job_config={"input": {"operators": [{"task_id": "b", "as": "flights"}]}})',
                'Spark(task_id="b", job=JOB, job_config={"input": {"operators": [{"task_id": "a", "as": "flights"}]}})',
            ],
            ["this DAG's data edges form a cycle"],
        ),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flights": ingest.output}, stored_as="ingest")'],
            ["stored_as gives it the place of task 'ingest'; two tasks never share one"],
        ),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flights": ingest.output}, stored_as="insights.daily/joined")'],
            ["stored_as names DAG 'insights.daily'; ids start with 'flights.'"],
        ),
        (
            ['Spark(task_id="t", job=JOB, inputs={"flights": ingest.output}, job_config={"output": {"rejects": {}}})'],
            ["job_config.output.rejects: jobs.flights.delays:Delays has no such output; it has default"],
        ),
        (
            ['Spark.partial(task_id="t", job=JOB).expand(inputs=[{"flights": ingest.output}])'],
            ["only 'parameters' can be mapped over", "got inputs"],
        ),
        (
            ['Spark.partial(task_id="t", job=JOB, inputs={"flights": ingest}).expand(parameters=[{"n": 1}])'],
            ["t: inputs.flights: the task itself"],
        ),
    ],
)
def test_edges_that_do_not_hold_together(platform: Platform, name: str, tasks: list[str], messages: list[str]) -> None:
    error = platform.errors(_body(name, *tasks), jobs=JOBS)

    assert [message for message in messages if message not in error] == []


def test_all_mistakes_of_a_dag_are_told_at_once(platform: Platform, name: str) -> None:
    broken = [f'Spark(task_id="t{n}", job=JOB, inputs={{"flights{n}": ingest.output}})' for n in range(3)]

    error = platform.errors(_body(name, *broken), jobs=JOBS)

    assert [n for n in range(3) if f"t{n}: inputs.flights{n}" not in error] == []


def test_a_task_that_is_wrong_does_not_hide_its_siblings(platform: Platform, name: str) -> None:
    """Nor is it called no producer by those that read it; and Python's way to the mistake is not told."""
    error = platform.errors(
        _body(
            name,
            'a = Spark(task_id="a", job=JOB, image="x", inputs={"flights": Upstream("x", wait="2 hours")})',
            'Spark(task_id="b", job="jobs.flights", inputs={"flights": a.output})',
            'Spark(task_id="c", job=JOB, inputs={"flights": a.output, "flightz": a.output})',
        ),
        jobs=JOBS,
    )

    told = ["a: image:", "a: inputs.flights: wait:", "b: not a job name", "c: inputs.flightz:"]
    assert [line for line in told if line not in error] == []
    assert "Traceback" not in error
    assert "publishes nothing" not in error


def test_a_wrong_id_does_not_hide_the_mistakes_of_tasks(platform: Platform) -> None:
    error = platform.errors('with DAG("other.x", schedule=None):\n    Spark(task_id="a", job=JOB, image="x")')

    assert "its id must start with 'flights.'" in error
    assert "a: image: 'x'; expected" in error


def _column(name: str, kind: str) -> Column:
    return Column(name, kind, nullable=False)


TYPED: dict[str, Any] = JobsExport.of(
    [
        JobContract(
            "jobs.flights.delays:Delays",
            "",
            (InputPort("flights", SchemaSpec("In", (_column("n", "long"), _column("gone", "string"))), optional=True),),
            (OutputPort("default", SchemaSpec("Out", (_column("n", "string"),))),),
            (),
            {
                "additionalProperties": False,
                "properties": {
                    "by": {"enum": ["carrier", "route"], "type": "string"},
                    "min_flights": {"minimum": 1, "type": "integer"},
                },
                "required": ["by"],
            },
            several=False,
        )
    ]
).model_dump(mode="json")


@pytest.mark.parametrize(
    ("parameters", "messages"),
    [
        (
            '{"min_flights": 0, "minflights": 1}',
            [
                "t: parameters.min_flights: at least 1, got 0",
                "t: parameters.minflights: the job has no such parameter (did you mean 'min_flights'?)",
                "t: parameters.by: missing",
            ],
        ),
        (
            '{"by": "airport", "min_flights": "many"}',
            [
                "parameters.by: one of carrier, route, got 'airport'",
                "parameters.min_flights: a whole number, got 'many'",
            ],
        ),
    ],
)
def test_constant_parameters_are_compared_with_the_job(
    platform: Platform, name: str, parameters: str, messages: list[str]
) -> None:
    body = f'with DAG("flights.{name}", schedule=None):\n    Spark(task_id="t", job=JOB, parameters={parameters})'

    error = platform.errors(body, jobs=TYPED)

    assert [message for message in messages if message not in error] == []


@pytest.mark.parametrize(
    "task",
    [
        'Spark(task_id="t", job=JOB, parameters={"by": "{{ params.by }}", "min_flights": "3"})',
        'Spark.partial(task_id="t", job=JOB).expand(parameters=[{"by": "route"}])',
        'Spark(task_id="t", job=JOB, job_config={"parameters": {"by": "route"}})',
    ],
)
def test_what_only_the_run_knows_is_left_to_it(platform: Platform, name: str, task: str) -> None:
    bag = platform.bag(f'with DAG("flights.{name}", schedule=None):\n    {task}', jobs=TYPED)

    assert bag.import_errors == {}


def test_an_output_whose_columns_do_not_fit_is_told(platform: Platform, name: str) -> None:
    error = platform.errors(
        f"""
        with DAG("flights.{name}", schedule=None):
            a = Spark(task_id="a", job=JOB, parameters={{"by": "route"}})
            Spark(task_id="t", job=JOB, parameters={{"by": "route"}}, inputs={{"flights": a.output}})
        """,
        jobs=TYPED,
    )

    assert "t: inputs.flights: output 'default' of task 'a' does not fit: n: is string, expected bigint" in error
    assert "does not fit: gone: missing" in error


RIGHT = [
    # The seed's own example: one port, one entry.
    (
        'Spark(task_id="t", job="jobs.flights.top:Top", job_config={"input": {"operators": [{"task_id": "ingest"}]}})',
        {"rows": ["ingest"]},
    ),
    # The task's id is the port's name.
    (
        'Spark(task_id="flights", job="jobs.flights.top:Top", inputs={"rows": ingest.output});'
        ' Spark(task_id="t", job=JOB, job_config={"input": {"operators": [{"task_id": "flights"}]}})',
        {"flights": ["flights"]},
    ),
    (
        'Spark(task_id="t", job=JOB, job_config={"input": {"operators": ['
        '{"task_id": "ingest", "as": "flights"}, {"task_id": "ingest", "as": "flights", "output": "rejects"}]}})',
        {"flights": ["ingest", "ingest"]},
    ),
    (
        'Spark(task_id="t", job=JOB, inputs={"flights": [ingest.output, ingest.output["rejects"]],'
        ' "yesterday": Upstream("t", run="latest")})',
        {"flights": ["ingest", "ingest"], "yesterday": [None]},
    ),
    ('Spark(task_id="t", job=JOB, inputs={"flights": Upstream("ingest")})', {"flights": ["ingest"]}),
    (
        'Spark.partial(task_id="t", job=JOB, inputs={"flights": ingest.output}).expand(parameters=[{"n": 1}])',
        {"flights": ["ingest"]},
    ),
]


@pytest.mark.parametrize(("tasks", "inputs"), RIGHT)
def test_edges_become_dependencies_and_assets(
    platform: Platform, name: str, tasks: str, inputs: dict[str, list[Any]]
) -> None:
    from airflow_bindings.declare import links_of

    dag = platform.dag(_body(name, *tasks.split("; ")), jobs=JOBS)

    linked = links_of(dag)
    assert linked is not None
    assert {port: [item.producer for item in items] for port, items in linked["t"].inputs.items()} == inputs
    producers = {producer for names in inputs.values() for producer in names if producer}
    assert dag.get_task("t").upstream_task_ids == producers
    assert [asset.name for asset in dag.get_task("t").outlets] == [f"flights/{dag.dag_id}/t"]
    read = {asset.name for asset in dag.get_task("t").inlets}
    assert read == {f"flights/{dag.dag_id}/{producer}" for producer in producers}
    assert linked["t"].contract in {job["hash"] for job in JOBS["jobs"].values()}


def test_edges_in_task_groups_use_full_ids(platform: Platform, name: str) -> None:
    dag = platform.dag(f"""
        with DAG("flights.{name}", schedule=None):
            with TaskGroup("raw"):
                ingest = Spark(task_id="ingest", job=JOB)
            Spark(task_id="a", job=JOB, inputs={{"flights": ingest.output}})
            Spark(task_id="b", job=JOB, job_config={{"input": {{"operators": [{{"task_id": "raw.ingest", "as": "flights"}}]}}}})
    """)

    assert dag.get_task("a").upstream_task_ids == {"raw.ingest"}
    assert dag.get_task("b").upstream_task_ids == {"raw.ingest"}


def test_a_broken_export_is_told(platform: Platform, name: str) -> None:
    error = platform.errors(_body(name), jobs={"version": 1, "jobs": {"x": {"version": 1, "job": "x"}}})

    assert "not an export of jobs" in error
    assert "KeyError: 'description'" in error


def test_without_the_policy_json_edges_are_refused_when_they_run(platform: Platform, name: str, capfd: Any) -> None:
    """Witness of the linking: a DAG object that no bundle loaded has the edge, but not the dependency."""
    body = _body(
        name, 'Spark(task_id="t", job=JOB, job_config={"input": {"operators": [{"task_id": "ingest", "as": "f"}]}})'
    )
    dag = platform.dag(body)
    run = platform.manual(dag)
    task = dag.get_task("t")
    task.upstream_task_ids.clear()
    dag.get_task("ingest").downstream_task_ids.clear()
    delattr(dag, "_teamspark_links")

    states = platform.run(dag, run)

    assert states == {"ingest": "success", "t": "failed"}
    assert "Airflow does not know this task's edges" in capfd.readouterr().out

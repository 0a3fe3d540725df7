"""A job's contract read from its transform: ports, what is injected, outputs, and every way it cannot be one."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Optional

import pytest
from annotated_types import Ge
from pydantic import Field

from framework.errors import ConfigError, DefinitionError
from framework.job import (
    Contract,
    Files,
    Frame,
    Input,
    Job,
    JobContract,
    Output,
    Run,
    Source,
    Table,
    contract_of,
    other_kind,
    signature_of,
)
from framework.schema.model import Schema, schema_spec
from framework.schema.types import Drop

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
else:
    # What pyspark's classes look like from here: a name and a home. No test of a contract starts Spark.
    SparkSession = type("SparkSession", (), {"__module__": "pyspark.sql.session"})
    DataFrame = type("DataFrame", (), {"__module__": "pyspark.sql.dataframe"})


class Flight(Schema):
    """One departure."""

    carrier: str


class Dropping(Schema):
    delay: Annotated[int, Drop(Ge(0))]


class Raw(Schema):
    carrier: Annotated[str, Field(alias="Carrier Code")]


class Split(NamedTuple):
    default: Frame[Flight]
    rejects: Annotated[Frame[Flight], Output(keep="P30D")]


class Whole(Job):
    """All kinds
    of ports."""

    least: Annotated[int, Ge(1)] = 1

    def transform(
        self,
        flights: Frame[Flight],
        planes: Annotated[Frame[Flight], Input(cache="pin")],
        raw: Annotated[Frame[Raw], Source("faa_delays"), Input(cache="bypass")],
        yesterday: Frame[Flight] | None,
        tomorrow: Annotated[Frame[Flight] | None, Input()],
        never: Optional[Annotated[Frame[Flight], Input()]],  # noqa: UP045  people write it
        run: Run,
        spark: SparkSession,
    ) -> Split:
        return Split(flights, flights)


def wrong(value: Any) -> Any:
    """``value`` where a type checker would not have it."""
    return value


def job_with(transform: Callable[..., Any], **attributes: Any) -> type[Job]:
    return type("Made", (Job,), {"transform": transform, "__module__": __name__, **attributes})


def refusal_of(transform: Any) -> tuple[str, ...]:
    with pytest.raises(DefinitionError) as refused:
        contract_of(job_with(transform))
    return refused.value.details


def test_parameters_are_ports_by_their_type() -> None:
    contract = contract_of(Whole)

    assert [(port.name, port.optional, port.source, port.cache) for port in contract.inputs] == [
        ("flights", False, None, "auto"),
        ("planes", False, None, "pin"),
        ("raw", False, "faa_delays", "bypass"),
        ("yesterday", True, None, "auto"),
        ("tomorrow", True, None, "auto"),
        ("never", True, None, "auto"),
    ]
    assert contract.injected == (("run", "run"), ("spark", "spark"))
    assert contract.input("flights").schema == schema_spec(Flight)


def test_a_named_tuple_names_several_outputs() -> None:
    contract = contract_of(Whole)

    assert [(port.name, port.keep) for port in contract.outputs] == [("default", None), ("rejects", "P30D")]
    assert contract.several


def test_a_single_frame_is_the_output_default() -> None:
    def transform(self: Job, flights: Frame[Flight]) -> Annotated[Frame[Flight], Output(keep="P1W")]:
        return flights

    contract = contract_of(job_with(transform))

    assert [(port.name, port.keep) for port in contract.outputs] == [("default", "P1W")]
    assert not contract.several


def test_the_contract_names_and_describes_its_job() -> None:
    contract = contract_of(Whole)

    assert (contract.job, contract.description) == (f"{__name__}:Whole", "All kinds of ports.")
    assert contract.parameters["properties"]["least"]["minimum"] == 1


def test_the_contract_is_read_once_and_per_class() -> None:
    class Other(Whole):
        def transform(self, *, flights: Frame[Flight]) -> Frame[Flight]:  # type: ignore[override]  # fewer ports
            return flights

    assert contract_of(Whole) is contract_of(Whole)
    assert [port.name for port in contract_of(Other).inputs] == ["flights"]


def test_the_schema_classes_are_at_hand_for_building_rows() -> None:
    signature = signature_of(Whole)

    assert signature.inputs["raw"] is Raw
    assert signature.outputs == {"default": Flight, "rejects": Flight}


def test_the_contract_survives_json() -> None:
    contract = contract_of(Whole)

    assert JobContract.from_json(json.loads(json.dumps(contract.to_json()))) == contract
    with pytest.raises(ConfigError, match="another version"):
        JobContract.from_json(contract.to_json() | {"version": 7})


@pytest.mark.parametrize("kind", ["input", "output"])
def test_an_unknown_port_is_told_with_the_nearest(kind: str) -> None:
    name = {"input": "flight", "output": "reject"}[kind]

    with pytest.raises(ConfigError, match=f"there is no {kind} '{name}'; did you mean {name}s"):
        getattr(contract_of(Whole), kind)(name)


def test_importing_a_job_with_a_bad_signature_is_no_error_until_it_is_used() -> None:
    def transform(self, flights: "Nowhere") -> None:  # type: ignore[name-defined, no-untyped-def]  # noqa: F821
        pass

    job = job_with(transform)

    assert job.__name__ == "Made"
    with pytest.raises(DefinitionError, match="Nowhere is not defined"):
        contract_of(job)


# As text: no type checker lets it pass, which is the point of the other tests of these mistakes, in tests/typing.
EVERY_MISTAKE = """
def transform(self, a, /, b: int, c: Frame, d: Flight, *args, e: Frame[int], f: DataFrame,
              g: Frame[Flight] = None, h: Annotated[Frame[Flight], Output()], i: Run | None, _j: Frame[Flight],
              k: Frame[Flight] | Frame[Raw], l: Annotated[Frame[Flight], Input, 3], m: list[Frame[Flight]],
              n: Annotated[Frame[Flight], Input(), Input()], o, **rest) -> Frame[Flight]: ...
"""


def test_every_parameter_that_is_no_port_is_told_at_once() -> None:
    space = dict(globals())
    exec(EVERY_MISTAKE, space)
    transform = space["transform"]

    told = {line.partition(":")[0]: line.partition(": ")[2] for line in refusal_of(transform)}

    assert told["a"] == "inputs are given by name; remove the /"
    assert told["b"].startswith(
        "int is neither input nor injected; expected Frame[S], Table[S], Files, Run or SparkSession"
    )
    assert told["b"].endswith("parameters of the job are fields of its class")
    assert told["c"] == told["f"] == "does not say what its rows are; write Frame[S], S being a Schema"
    assert told["d"] == "is one row; write Frame[Flight]"
    assert told["*args"].startswith("every input is named")
    assert told["e"] == "Frame[int]: int is no Schema"
    assert told["g"].startswith("an input has no default; `| None` says that it may be absent")
    assert "Output(keep=None) means nothing here" in told["h"]
    assert told["i"].startswith("Run is neither input")
    assert told["_j"] == "the name of an input does not start with _"
    assert "is neither input" in told["k"]
    assert told["l"].startswith("Input means nothing here")
    assert "list[" in told["m"]
    assert "once" in told["n"]
    assert told["o"].startswith("says no type")
    assert told["**rest"] == "every input is named"


class NoDefault(NamedTuple):
    good: Frame[Flight]
    bad: Frame[Flight]


class Taken(NamedTuple):
    default: Frame[Flight]
    count: Frame[Flight]  # type: ignore[assignment]  # the mistake under test
    return_value: Frame[Flight]
    Upper: Frame[Flight]
    maybe: Frame[Flight] | None
    number: int


@pytest.mark.parametrize(
    ("returned", "sentences"),
    [
        (None, ["NoneType is no output; expected Frame[S] or Table[S], or a NamedTuple of them"]),
        (Frame[Flight] | None, ["an output is always there"]),
        (Flight, ["is one row; write Frame[Flight]"]),
        (Annotated[Frame[Flight], Input()], ["means nothing here; there are Output(...)"]),
        (tuple[Frame[Flight], Frame[Flight]], ["tuple["]),
        (Frame[Raw], ["Raw has foreign names (carrier), which only a Source has"]),
        (NoDefault, ["one output is called default"]),
        (Taken, ["Taken.count: is taken", "Taken.return_value: is taken", "Taken.Upper: an output's name", "Taken.maybe: an output", "Taken.number: int"]),
    ],
)  # fmt: skip
def test_returns_that_are_no_outputs_are_told(returned: Any, sentences: list[str]) -> None:
    def transform(self: Job, flights: Frame[Flight]) -> Any: ...

    transform.__annotations__["return"] = returned
    lines = refusal_of(transform)

    assert len(lines) == len(sentences)
    assert all(sentence in line for sentence, line in zip(sentences, lines, strict=True))


def test_a_missing_return_annotation_is_told() -> None:
    def transform(self, flights: Frame[Flight]):  # type: ignore[no-untyped-def]  # the mistake under test
        return flights

    assert refusal_of(transform) == (
        "it does not say what it returns; expected -> Frame[S] or Table[S], or a NamedTuple of them",
    )


def test_foreign_names_belong_to_sources_only() -> None:
    def transform(self: Job, raw: Frame[Raw]) -> Frame[Flight]:
        return raw

    assert "which only a Source has" in refusal_of(transform)[0]


async def awaits(self: Any) -> Any: ...


def yields(self: Any) -> Any:
    yield 1


@pytest.mark.parametrize(
    ("transform", "sentence"),
    [
        (awaits, "neither awaits nor yields"),
        (yields, "neither awaits nor yields"),
        (staticmethod(yields), "an ordinary method"),
        (classmethod(yields), "an ordinary method"),
        (property(yields), "an ordinary method"),
    ],
)
def test_a_transform_is_an_ordinary_method(transform: Any, sentence: str) -> None:
    assert sentence in refusal_of(transform)[0]


def test_a_job_without_transform_is_no_contract() -> None:
    class Nothing(Job):
        pass

    with pytest.raises(DefinitionError, match="it has no transform"):
        contract_of(Nothing)  # type: ignore[type-abstract]  # the mistake under test


class Kept(NamedTuple):
    default: Table[Flight]
    daily: Frame[Flight]


class Keep(Job):
    def transform(
        self,
        history: Table[Flight],
        everything: Annotated[Table[Flight] | None, Input(as_of="latest", cache="pin")],
        day: Frame[Flight],
    ) -> Kept:
        return Kept(history, day)


def test_tables_are_ports_and_outputs_of_their_own_kind() -> None:
    contract = contract_of(Keep)

    assert [(port.name, port.table, port.as_of) for port in contract.inputs] == [
        ("history", True, "run"),
        ("everything", True, "latest"),
        ("day", False, "run"),
    ]
    assert [(port.name, port.table) for port in contract.outputs] == [("default", True), ("daily", False)]
    assert JobContract.from_json(json.loads(json.dumps(contract.to_json()))) == contract
    assert contract.input("everything").optional


def test_a_table_feeds_a_frame_and_a_frame_no_table() -> None:
    ports, outputs = contract_of(Keep).inputs, contract_of(Keep).outputs

    assert [other_kind(port, outputs[0]) for port in ports] == [None, None, None]
    assert [other_kind(port, outputs[1]) is None for port in ports] == [False, False, True]
    assert "declare the input Frame[S]" in str(other_kind(ports[0], outputs[1]))


def test_whether_a_port_is_a_table_and_which_runs_it_sees_are_in_the_hash() -> None:
    class Earlier(Job):
        def transform(self, history: Table[Flight]) -> Frame[Flight]:
            return history

    class Latest(Job):
        def transform(self, history: Annotated[Table[Flight], Input(as_of="latest")]) -> Frame[Flight]:
            return history

    class OneRun(Job):
        def transform(self, history: Frame[Flight]) -> Frame[Flight]:
            return history

    class Made(Job):
        def transform(self, history: Frame[Flight]) -> Table[Flight]:
            return history

    assert len({contract_of(job).hash for job in (Earlier, Latest, OneRun, Made)}) == 4


def test_tables_where_there_can_be_none_are_told() -> None:
    def transform(
        self: Job,
        a: Annotated[Table[Raw], Source("faa")],
        b: Annotated[Frame[Flight], Input(as_of="latest")],
        c: Table,  # type: ignore[type-arg]  # the mistake under test
        d: Table[int],  # type: ignore[type-var]  # the mistake under test
    ) -> Annotated[Table[Flight], Output(keep="P30D")]:
        raise NotImplementedError

    assert refusal_of(transform) == (
        "a: a source has no runs: write Frame[S]",
        "b: Input(as_of='latest') is for a Table[S]; a Frame[S] is the rows of one run",
        "c: does not say what its rows are; write Table[S], S being a Schema",
        "d: Table[int]: int is no Schema",
        "return: Output(keep=) is for a Frame[S]; a table keeps the rows of all its runs",
    )


def test_parameters_that_json_cannot_hold_are_told() -> None:
    class Odd(Job):
        how: Callable[[int], int]

        def transform(self, flights: Frame[Flight]) -> Frame[Flight]:
            return flights

    with pytest.raises(DefinitionError, match="cannot be written as JSON"):
        contract_of(Odd)


class Learned(Job):
    def transform(self, flights: Frame[Flight], model: Files) -> Frame[Flight]:
        return flights


class Learn(Contract):
    """What another image does."""

    def transform(self, flights: Frame[Flight], before: Files | None) -> Files: ...


def test_files_are_ports_without_a_schema() -> None:
    job, contract = contract_of(Learned), contract_of(Learn)

    assert [(port.name, port.files) for port in job.inputs] == [("flights", False), ("model", True)]
    assert [(port.name, port.files, port.optional) for port in contract.inputs][1] == ("before", True, True)
    assert contract.outputs[0].files
    assert (job.container, contract.container) == (False, True)
    assert (contract.description, JobContract.from_json(contract.to_json())) == ("What another image does.", contract)


def test_files_are_of_the_contract() -> None:
    class Plain(Job):
        def transform(self, flights: Frame[Flight], model: Frame[Flight]) -> Frame[Flight]:
            return flights

    assert contract_of(Learned).hash != contract_of(Plain).hash


@pytest.mark.parametrize(
    ("signature", "told"),
    [
        ({"model": Files, "return": Files}, "default: a Spark job returns frames"),
        ({"model": Annotated[Files, Source("models")], "return": Frame[Flight]}, "a source has rows"),
    ],
)
def test_what_files_cannot_be_in_a_job(signature: dict[str, Any], told: str) -> None:
    def transform(self: Any, model: Any) -> Any: ...

    transform.__annotations__ = signature
    with pytest.raises(DefinitionError) as caught:
        contract_of(type("Odd", (Job,), {"transform": transform, "__module__": __name__}))

    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("signature", "told"),
    [
        ({"x": Run, "return": Files}, "a container finds its run in its configuration"),
        ({"x": Annotated[Frame[Flight], Source("landed")], "return": Files}, "a source is read by a Spark job"),
        ({"x": Table[Flight], "return": Files}, "a table has no folder of its own"),
        ({"x": Frame[Flight], "return": Table[Flight]}, "a table is written by a Spark job"),
        ({"x": Frame[Flight], "return": Frame[Dropping]}, "default: delay.ge is Drop(...); a program's files are"),
    ],
)
def test_what_a_container_cannot_be_given(signature: dict[str, Any], told: str) -> None:
    def transform(self: Any, x: Any) -> Any: ...

    transform.__annotations__ = signature
    with pytest.raises(DefinitionError) as caught:
        contract_of(type("Odd", (Contract,), {"transform": transform, "__module__": __name__}))

    assert told in str(caught.value)


def _works(self: Any, x: Any) -> Any:
    return x


def _says(self: Any, x: Any) -> Any:
    """What it is."""


def _refuses(self: Any, x: Any) -> Any:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"local_command": "python late.py"}, "local_command: words, such as"),
        ({"local_command": ("python", 7)}, "local_command: words, such as"),
        (
            {"__annotations__": {"api_token": str}, "api_token": "hunter2"},
            "parameters.api_token: is called like a secret",
        ),
        ({"__annotations__": {"note": str}, "note": "ghp_" + "a1" * 18}, "parameters.note: looks like a secret"),
    ],
)
def test_what_else_a_contract_cannot_say(attributes: dict[str, Any], told: str) -> None:
    def transform(self: Any, x: Any) -> Any: ...

    transform.__annotations__ = {"x": Frame[Flight], "return": Files}
    with pytest.raises(DefinitionError) as caught:
        contract_of(type("Odd", (Contract,), {"transform": transform, "__module__": __name__, **attributes}))

    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(("transform", "refused"), [(_works, True), (_says, False), (_refuses, False)])
def test_a_body_that_would_never_run_is_told(transform: Any, *, refused: bool) -> None:
    transform.__annotations__ = {"x": Frame[Flight], "return": Files}
    odd = type("Odd", (Contract,), {"transform": transform, "__module__": __name__})

    with pytest.raises(DefinitionError, match="this body would never run") if refused else nullcontext():
        contract_of(odd)


@pytest.mark.parametrize("make", [lambda: Input(cache=wrong("hot")), lambda: Input(as_of=wrong("now")), lambda: Output(keep="30 days"), lambda: Output(keep="P0D"), lambda: Output(keep=wrong(30)), lambda: Source("No Name"), lambda: Source("")])  # fmt: skip
def test_options_are_checked_where_they_are_written(make: Callable[[], Any]) -> None:
    with pytest.raises(DefinitionError):
        make()


class Base(Job):
    least: int = 1

    def transform(self, flights: Frame[Flight]) -> Frame[Flight]:
        return flights


def varied(**changes: Any) -> type[Job]:
    """``Base`` with other attributes, a doc, or other annotations of transform."""

    def transform(self: Job, flights: Any) -> Any: ...

    transform.__annotations__ = {
        "flights": changes.pop("flights", Frame[Flight]),
        "return": changes.pop("returns", Frame[Flight]),
    }
    space = {"__annotations__": {"least": int}, "least": 1} | changes
    return type("Renamed", (Job,), {"__module__": __name__, "transform": transform} | space)


class Documented(Schema):
    """Another text."""

    carrier: Annotated[str, Field(description="Two letters")]


class Wider(Schema):
    carrier: str
    more: int | None


class Keyed(Schema, key=("carrier",)):
    carrier: str


class Bounded(Schema):
    carrier: Annotated[str, Field(max_length=2)]


class Defaulted(Schema):
    carrier: str = "AA"


@pytest.mark.parametrize(
    "job",
    [
        varied(),
        varied(__doc__="Something else."),
        varied(flights=Frame[Documented]),
        varied(returns=Annotated[Frame[Flight], Output(keep="P1D")]),
        varied(flights=Annotated[Frame[Flight], Input(cache="pin")]),
        varied(least=Field(1, description="the least", title="Least!")),
    ],
)
def test_the_hash_leaves_out_what_is_for_people_and_advice(job: type[Job]) -> None:
    assert contract_of(job).hash == contract_of(Base).hash


@pytest.mark.parametrize(
    "job",
    [
        varied(flights=Frame[Flight] | None),
        varied(flights=Annotated[Frame[Flight], Source("x")]),
        varied(flights=Frame[Wider]),
        varied(returns=Frame[Keyed]),
        varied(returns=Frame[Bounded]),
        varied(returns=Frame[Defaulted]),
        varied(returns=Split),
        varied(least=2),
        varied(__annotations__={"least": str}, least="1"),
        varied(__annotations__={"least": int, "title": int}, title=1),
    ],
)
def test_the_hash_covers_ports_schemas_checks_keys_and_parameters(job: type[Job]) -> None:
    assert contract_of(job).hash != contract_of(Base).hash

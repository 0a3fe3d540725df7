"""Annotations that are text: resolved where they were written, late, or refused with a sentence."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from framework.errors import DefinitionError
from framework.job import contract_of
from framework.schema.annotations import nearest, resolve
from framework.schema.model import schema_spec
from tests.framework import future_style

Importer = Callable[[str, str], ModuleType]


@pytest.fixture
def module_of(tmp_path: Path) -> Iterator[Importer]:
    """Imports a module from its text, and forgets it afterwards."""
    made: list[str] = []

    def load(name: str, text: str) -> ModuleType:
        path = tmp_path / f"{name}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        made.append(name)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in made:
        del sys.modules[name]


def test_a_schema_made_inside_a_function_is_resolved_there() -> None:
    spec = schema_spec(future_style.schema_in_a_function())

    assert [(column.name, column.nullable) for column in spec.columns] == [
        ("day", False),
        ("part", True),
        ("fare", True),
    ]
    assert spec.column("fare").type == "decimal(12,2)"
    assert spec.column("fare").checks[0].policy == "drop"


def test_a_job_made_inside_a_function_is_resolved_there() -> None:
    contract = contract_of(future_style.job_in_a_function())

    assert [(port.name, port.optional) for port in contract.inputs] == [("flights", False), ("late", True)]
    assert [(port.name, port.keep) for port in contract.outputs] == [("default", None), ("rest", "P4W")]
    assert contract.injected == (("run", "run"),)


def test_names_that_come_later_are_resolved_at_first_use() -> None:
    assert contract_of(future_style.Later).input("rows").schema.names == ("x",)
    assert schema_spec(future_style.Holder).column("below").nullable is False


HOW_RUFF_LEAVES_IT = """
from __future__ import annotations
from typing import TYPE_CHECKING
from framework import Frame, Job, Schema
if TYPE_CHECKING:
    from schemas_elsewhere import Flight, Plane as Aircraft
    import datetime as dt

class Holder(Schema):
    flight: Flight
    crafts: list[Aircraft]
    day: dt.date
    good: int

class Delays(Job):
    def transform(self, flights: Frame[Flight]) -> Frame[Aircraft]: ...
"""


def test_a_job_whose_schema_is_imported_for_type_checking_only_is_told_so(module_of: Importer) -> None:
    module = module_of("moved_by_ruff", HOW_RUFF_LEAVES_IT)

    with pytest.raises(DefinitionError) as refused:
        contract_of(module.Delays)

    assert refused.value.details == (
        "flights: Flight is imported only for type checking; import it normally",
        "return: Aircraft is imported only for type checking; import it normally",
    )


def test_a_schema_whose_types_are_imported_for_type_checking_only_is_told_so(module_of: Importer) -> None:
    module = module_of("moved_by_ruff", HOW_RUFF_LEAVES_IT)

    with pytest.raises(DefinitionError) as refused:
        schema_spec(module.Holder)

    assert [line.partition(" is imported only")[0] for line in refused.value.details] == [
        "flight: Flight",
        "crafts: Aircraft",
        "day: dt",
    ]


def test_a_misspelt_name_is_told_with_the_nearest(module_of: Importer) -> None:
    module = module_of("misspelt", HOW_RUFF_LEAVES_IT.replace("if TYPE_CHECKING", "Flights = int\nif False"))

    with pytest.raises(DefinitionError) as refused:
        contract_of(module.Delays)

    assert refused.value.details[0] == "flights: Flight is not defined in misspelt; did you mean Flights?"


@pytest.mark.parametrize(
    ("text", "part"), [("int |", "cannot make sense"), ("list[", "cannot make sense"), ("3 + 'x'", "cannot make sense")]
)
def test_an_annotation_that_is_no_expression_is_told(text: str, part: str) -> None:
    with pytest.raises(DefinitionError, match=part):
        resolve(text, module=__name__, names={})


def test_names_of_the_defining_function_win_over_the_module() -> None:
    assert resolve("Path", module=__name__, names={"Path": int}) is int
    assert resolve("Path", module=__name__, names={}) is Path


def test_a_module_without_source_still_gets_a_sentence() -> None:
    with pytest.raises(DefinitionError, match="Flight is not defined in nowhere_at_all"):
        resolve("Flight", module="nowhere_at_all", names={})


def test_nearest_is_silent_when_nothing_is_near() -> None:
    assert nearest("zzz", ["carrier"]) == ""
    assert nearest("carier", ["carrier"]) == "; did you mean carrier?"

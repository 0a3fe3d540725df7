"""Schema records: their checks, their Spark type and their way through JSON."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.errors import ConfigError
from framework.schema.spec import Check, Column, SchemaSpec, tagged, untagged

FLIGHT = SchemaSpec(
    "Flight",
    (
        Column("carrier", "string", nullable=False, description="IATA code"),
        Column(
            "fare",
            "decimal(12,2)",
            nullable=True,
            checks=(Check("fare.ge", "fare", "ge", Decimal("0.00"), "drop"),),
            has_default=True,
        ),
        Column(
            "tags", {"type": "array", "elementType": "string", "containsNull": False}, nullable=False, source_name="T g"
        ),
    ),
    key=("carrier",),
    rules=(Check("cheap", None, "sql", "fare < 100", "warn"),),
    description="One departure.",
)

plain_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(),
    st.floats(allow_nan=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.binary(),
)


def test_checks_are_null_checks_then_own_then_rules_then_key() -> None:
    assert [(check.name, check.kind, check.policy) for check in FLIGHT.checks] == [
        ("carrier.null", "null", "fail"),
        ("fare.ge", "ge", "drop"),
        ("tags.null", "null", "fail"),
        ("cheap", "sql", "warn"),
        ("key", "key", "fail"),
    ]


def test_spark_json_has_descriptions_as_comments() -> None:
    assert FLIGHT.spark_json()["fields"][:2] == [
        {"name": "carrier", "type": "string", "nullable": False, "metadata": {"comment": "IATA code"}},
        {"name": "fare", "type": "decimal(12,2)", "nullable": True, "metadata": {}},
    ]


def test_schema_survives_json_text() -> None:
    text = json.dumps(FLIGHT.to_json())

    assert SchemaSpec.from_json(json.loads(text)) == FLIGHT
    assert json.dumps(SchemaSpec.from_json(json.loads(text)).to_json()) == text


def test_a_record_of_another_version_is_refused() -> None:
    with pytest.raises(ConfigError, match="another version"):
        SchemaSpec.from_json(FLIGHT.to_json() | {"version": 2})


def test_columns_are_found_by_name() -> None:
    assert FLIGHT.column("tags").source_name == "T g"
    assert FLIGHT.column("fare").source_name == "fare"
    with pytest.raises(KeyError):
        FLIGHT.column("Fare")


@given(plain_values | st.lists(plain_values).map(tuple) | st.dictionaries(st.text(), plain_values))
def test_values_survive_json_with_their_type(value: Any) -> None:
    back = untagged(json.loads(json.dumps(tagged(value), allow_nan=False)))

    assert back == value
    assert type(back) is type(value)


def test_nan_survives_json() -> None:
    assert repr(untagged(tagged(float("nan")))) == "nan"


def test_moments_of_one_day_are_told_apart_from_the_day() -> None:
    assert tagged(date(2013, 1, 1)) != tagged(datetime(2013, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("value", [{1, 2}, object(), 1j])
def test_a_value_no_column_holds_is_refused(value: Any) -> None:
    with pytest.raises(TypeError, match="no column holds"):
        tagged(value)

"""Mistakes in expected rows come before the run, with file, row and column."""

from pathlib import Path

import pytest

from framework import Frame, Job, Schema
from framework.errors import ConfigError
from framework.job import signature_of
from framework.testing.cases import case_fixtures, read_case
from framework.testing.compare import assert_rows


class Amount(Schema):
    name: str
    amount: int


class Copy(Job):
    """Copies."""

    def transform(self, rows: Frame[Amount]) -> Frame[Amount]:
        return rows


def test_expected_rows_of_different_columns_stop_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "in.rows.json").write_text('[{"amount": 1}]')
    out = tmp_path / "out.default.json"
    out.write_text('[{"amount": 1, "name": "a"}, {"amount": 1}, {"name": "b", "amount": 2}]')

    with pytest.raises(ConfigError, match="expected rows name different columns") as stop:
        case_fixtures(signature_of(Copy), read_case(tmp_path, "tests:Copy"))

    assert stop.value.where == str(out)
    assert stop.value.details == ("row 1: lacks name",)


def test_a_test_that_states_them_itself_is_told_the_same() -> None:
    with pytest.raises(AssertionError, match="row 1: lacks b and has c besides"):
        assert_rows([], [{"a": 1, "b": 2}, {"a": 1, "c": 2}])

"""Frames against the outputs a job declares."""

from typing import NamedTuple

import pytest
from pyspark.sql import SparkSession

from framework import Frame, Job, Schema
from framework.errors import SchemaMismatch
from framework.job import signature_of
from framework.runner.writing import checked

pytestmark = pytest.mark.spark


class Amount(Schema):
    amount: int


class Reject(Schema):
    reason: str


class Split(NamedTuple):
    default: Frame[Amount]
    rejects: Frame[Reject]


class Sort(Job):
    """Good rows and others."""

    def transform(self, rows: Frame[Amount]) -> Split:
        raise NotImplementedError


def test_mistakes_of_two_outputs_name_both_schemas(spark: SparkSession) -> None:
    frames = {"default": spark.sql("select '1' amount"), "rejects": spark.sql("select 'x' reason, 1 more")}

    with pytest.raises(SchemaMismatch) as stop:
        checked(frames, signature_of(Sort).contract)

    told = str(stop.value)
    assert told.startswith("the columns of outputs default (Amount), rejects (Reject) are not those declared")
    assert "expected: default: amount bigint; rejects: reason string" in told
    assert "- output 'default', amount: got string, expected bigint" in told
    assert "next: output 'default': cast what has another type; output 'rejects': end the transform with" in told


def test_mistakes_of_one_output_name_it(spark: SparkSession) -> None:
    frames = {"default": spark.sql("select 1L amount"), "rejects": spark.sql("select 1 reason")}

    with pytest.raises(SchemaMismatch, match=r"the columns are not those of Reject(?s:.*)output 'rejects'"):
        checked(frames, signature_of(Sort).contract)

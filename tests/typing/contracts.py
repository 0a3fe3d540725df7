"""Contracts and files as teams write them."""

from typing import ClassVar, NamedTuple

from pyspark.sql import functions as F

from framework import Contract, Files, Frame, Job, Schema


class Feature(Schema):
    carrier: str
    delay: int | None


class Scored(Schema):
    carrier: str
    score: float


class Trained(NamedTuple):
    default: Files
    scores: Frame[Scored]


class Train(Contract):
    rounds: int = 3

    local_command: ClassVar[tuple[str, ...]] = ("python", "train.py")

    def transform(self, features: Frame[Feature]) -> Trained: ...


class Apply(Job):
    def transform(self, features: Frame[Feature], model: Files) -> Frame[Scored]:
        weight = float((model / "weight.txt").read_text())
        return features.select("carrier", (F.col("delay") * weight).alias("score"))


job = Train(rounds=4)

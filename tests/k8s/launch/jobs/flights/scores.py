"""A contract that programs of other images fulfil, each in its way."""

from framework import Contract, Frame, Int32, Schema


class Flight(Schema):
    carrier: str
    delay: Int32 | None


class Scored(Schema):
    carrier: str
    score: float


class Score(Contract):
    """``do``: what the program is to do wrong."""

    do: str = "score"

    def transform(self, flights: Frame[Flight]) -> Frame[Scored]: ...

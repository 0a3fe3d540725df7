"""The frame of the isolation kit: what counts as refused, what as a breach, and what shows nothing."""

import pytest

from framework.testing.isolation import Attack, Gap, Matrix, Outcome, Refused, Result, Wish, Witness, outcome_of
from framework.testing.isolation_plugin import lines_of


def works() -> None:
    return None


def denied() -> None:
    raise Refused("403 Forbidden")


def breaks() -> None:
    raise ConnectionError("no route")


def attack(deed: object, family: str = "listings", team: str = "flights") -> Result:
    return outcome_of(Attack("store", team, family, "of the other", deed))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("deed", "outcome", "good"),
    [(denied, Outcome.refused, True), (works, Outcome.worked, False), (breaks, Outcome.failed, False)],
)
def test_only_the_walls_own_no_is_a_refusal(deed: object, outcome: Outcome, good: bool) -> None:
    found = attack(deed)

    assert (found.outcome, found.good) == (outcome, good)


@pytest.mark.parametrize("kind", ["wish", "witness"])
def test_what_is_needed_and_what_shows_the_guard_has_to_work(kind: str) -> None:
    def one(deed: object) -> Result:
        if kind == "wish":
            return outcome_of(Wish("store", "flights", "reads", deed))  # type: ignore[arg-type]
        return outcome_of(Witness("store", "listings", deed))  # type: ignore[arg-type]

    assert one(works).good
    assert not one(denied).good
    assert not one(breaks).good


def test_the_matrix_tells_breaches_failures_and_families_that_nothing_shows() -> None:
    results = [
        attack(denied), attack(denied), attack(works), attack(breaks, team="insights"), attack(denied, "keys"),
        outcome_of(Witness("store", "listings", works)), outcome_of(Witness("store", "keys", denied)),
        outcome_of(Wish("store", "flights", "reads", works)), outcome_of(Wish("store", "flights", "puts", denied)),
    ]  # fmt: skip
    matrix = Matrix(results, [Gap("store", "the filer", "a route")], {"airflow": "no\n  address"})

    told = [" ".join(line.split()) for line in lines_of(matrix)]

    assert told == [
        "store keys flights 1/1 refused FAILS: 403 Forbidden",
        "store listings flights 2/3 refused, 1 BREACHES works without the guard",
        "store listings insights 0/1 refused, 1 not tried works without the guard",
        "store (what it needs) flights 1/2 granted",
        "airflow not asked: no address",
        "store no wall: the filer; a route",
        "no witness worked: store: keys",
    ]

"""Whether a run fits: the rule as a table, and a property against a count by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framework.launch.base import Resources, Share
from k8s.launch.naming import DRIVER, EXECUTOR, LAUNCH, NEEDS, ROLE
from k8s.launch.needs import Fits, Needs, Never, Waits, quota_of, room_for

GI = 2**30
QUOTA = Needs(4000, 8 * GI, 10)
RUN = Resources("image:1", Share("500m", "1Gi"), Share("1", "2Gi"), 2)


def pod(
    name: str, *, role: str = "", launch: str = "", phase: str = "Running", needs: str | None = None, cpu: str = "500m"
) -> dict[str, Any]:
    labels = {ROLE: role, LAUNCH: launch or name}
    limits = {"cpu": cpu, "memory": "1Gi"}
    return {
        "metadata": {"name": name, "labels": labels, "annotations": {} if needs is None else {NEEDS: needs}},
        "spec": {"containers": [{"name": "main", "resources": {"limits": limits}}]},
        "status": {"phase": phase},
    }


def driver(name: str, **more: Any) -> dict[str, Any]:
    return pod(name, role=DRIVER, **{"needs": Needs.of(RUN).to_json(), **more})


def test_a_run_is_its_driver_and_all_its_executors() -> None:
    assert Needs.of(RUN) == Needs(2500, 5 * GI, 3)


def test_more_than_the_whole_quota_never_fits() -> None:
    answer = room_for(Needs(5000, GI, 1), QUOTA, [])

    assert answer == Never("needs 5 CPU, 4 CPU free; the team's quota has no more".replace("4 CPU free", "4 free"))


def test_a_driver_holds_room_for_executors_that_are_not_there_yet() -> None:
    answer = room_for(Needs.of(RUN), QUOTA, [driver("first")])

    assert answer == Waits("needs 2500m CPU, 1500m free, 5Gi memory, 3Gi free; held by first")


@pytest.mark.parametrize(
    "others",
    [
        [],
        [driver("done", phase="Succeeded"), driver("broken", phase="Failed")],
        [driver("mine")],
        [driver("mine"), pod("mine-exec-1", role=EXECUTOR, launch="mine", cpu="1")],
    ],
    ids=["nobody", "ended", "only me", "me and mine"],
)
def test_who_has_ended_holds_nothing_and_nobody_is_in_his_own_way(others: list[dict[str, Any]]) -> None:
    assert room_for(Needs.of(RUN), QUOTA, others, own="mine") == Fits()


def test_executors_whose_driver_is_gone_hold_what_they_have() -> None:
    left = [pod(f"old-exec-{n}", role=EXECUTOR, launch="old", cpu="1") for n in (1, 2)]

    assert isinstance(room_for(Needs.of(RUN), QUOTA, left), Waits)


def test_what_is_not_ours_counts_as_it_is() -> None:
    assert isinstance(room_for(Needs.of(RUN), QUOTA, [pod("cache", cpu="2")]), Waits)


@pytest.mark.parametrize("said", [None, "{", "[]", '{"cpu": 1, "memory": 1, "pods": 1}', '{"cpu": "many"}'])
def test_a_driver_that_says_less_than_it_has_or_nonsense_counts_as_it_is(said: str | None) -> None:
    answer = room_for(Needs(1000, GI, 1), QUOTA, [driver("odd", needs=said, cpu="3500m")])

    assert answer == Waits("needs 1 CPU, 500m free; held by odd")


def test_at_most_three_holders_are_named() -> None:
    small = Needs(800, GI, 1).to_json()
    answer = room_for(Needs(2000, GI, 1), QUOTA, [driver(f"d{n}", needs=small) for n in range(5)])

    assert isinstance(answer, Waits)
    assert answer.why.endswith("held by d0, d1, d2 and 2 more")


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8), st.booleans()), max_size=8), st.integers(1, 10))
def test_it_fits_exactly_when_the_sum_does(runs: list[tuple[int, int, bool]], asked: int) -> None:
    living = [
        driver(f"d{n}", needs=Needs(cpu * 500, memory * GI, 1).to_json(), phase="Succeeded" if done else "Pending")
        for n, (cpu, memory, done) in enumerate(runs)
    ]
    held = [Needs(cpu * 500, memory * GI, 1) for cpu, memory, done in runs if not done]
    needs = Needs(asked * 500, GI, 1)
    fits = (
        sum(one.cpu for one in held) + needs.cpu <= QUOTA.cpu
        and sum(one.memory for one in held) + needs.memory <= QUOTA.memory
        and len(held) + 1 <= QUOTA.pods
    )

    assert isinstance(room_for(needs, QUOTA, living), Fits) == (fits and needs.within(QUOTA))


def test_a_quota_is_the_smaller_of_what_it_says() -> None:
    hard = {
        "requests.cpu": "4",
        "limits.cpu": "3500m",
        "requests.memory": "8Gi",
        "limits.memory": "8589934592",
        "pods": "10",
    }

    assert quota_of({"spec": {"hard": hard}}) == Needs(3500, 8 * GI, 10)

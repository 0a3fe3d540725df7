"""Pods of the teams that tests have."""

from typing import Any

from k8s.testing.pods import Pair
from tests.k8s.teams import team


def pair(name: str = "flights") -> Pair:
    """A team, and the one that it is after."""
    return Pair(team(name), team("flights" if name == "insights" else "insights"))


def pod(name: str, **changes: Any) -> dict[str, Any]:
    """A small pod of the team, with changes as ``Pair.pod`` takes them."""
    return pair(name).pod(changes)

"""The isolation matrix on live servers: every attack is refused by a wall's own words, every family's witness works."""

from functools import partial

import pytest

from framework.testing.isolation import Attack, Kit, Matrix, Result, Wish, everything_of, outcome_of
from framework.testing.isolation_plugin import lines_of
from k8s.platform import load_platform
from k8s.testing.cluster import ClusterKit, account_of, pairs_of
from k8s.testing.objects import StoreKit
from tests.servers.identities import Identified

pytestmark = pytest.mark.timeout(300)


def all_of(kit: Kit) -> list[Result]:
    return [outcome_of(one) for one in everything_of(kit)]


def cluster_kit(identified: Identified) -> ClusterKit:
    admin = identified.kubernetes.admin
    return ClusterKit(admin, pairs_of(identified.teams.by_name.values()), partial(account_of, admin))


def store_kit(identified: Identified) -> StoreKit:
    audience = load_platform(identified.workspace).audience
    return StoreKit(tuple(identified.places.values()), identified.token, audience, identified.admin)


@pytest.mark.parametrize(("make", "hostile", "fine"), [(cluster_kit, 400, 110), (store_kit, 180, 28)])
def test_no_wall_has_a_hole(identified: Identified, make: object, hostile: int, fine: int) -> None:
    kit = make(identified)  # type: ignore[operator]
    results = all_of(kit)
    kit.clear()
    matrix = Matrix(results, kit.gaps())
    attacks = [one for one in results if isinstance(one.of, Attack)]
    wishes = [one for one in results if isinstance(one.of, Wish)]

    wrong = [f"{one.of}: {one.outcome} {one.told}" for one in results if not one.good]
    assert wrong == [], "\n".join(["", *wrong, *lines_of(matrix)])
    assert matrix.unwitnessed() == []
    assert len(attacks) >= hostile
    assert len(wishes) >= fine

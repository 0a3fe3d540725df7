"""An Alluxio that has no more than its team's role, as it is rendered: before its store, and what the team was granted."""

import pytest

from framework.cache.alluxio import AlluxioCache
from framework.cache.properties import GRANTED, MOUNT, s3_properties
from framework.cache.rest import Proxy
from framework.errors import CacheUnavailable
from framework.storage.s3 import S3Store
from framework.storage.s3client import Bucket
from tests.servers.alluxio import running
from tests.servers.identities import BARE, Identified
from tests.servers.seaweed import REGION

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

TASK = "/flights/flights.daily/ingest"


def environment(identified: Identified, role: str | None = None) -> dict[str, str]:
    """The session that a pod of insights would have."""
    place = identified.places["insights"]
    token = identified.token("insights", "driver", "sts.amazonaws.com")
    arn = None if role is None else place.role.replace("teamspark-insights", role)
    return {**place.keys(token, arn).environment(), "AWS_REGION": REGION}


def stores(identified: Identified) -> tuple[S3Store, S3Store]:
    """Of insights and of flights; each has something in it."""
    for team, key in (("flights", f"{TASK}/x"), ("flights", f"{TASK}2/x"), ("insights", "/insights/x")):
        identified.client(team).put_object(Bucket=f"{team}-data", Key=key[1:], Body=b"told")
    own, other = (S3Store(Bucket(f"{team}-data", "", identified.endpoint, REGION)) for team in ("insights", "flights"))
    return own, other


def test_its_store_and_what_it_was_granted(identified: Identified) -> None:
    own, other = stores(identified)

    with running(
        "insights", own, environment(identified), [(other, TASK), (other, f"{TASK}2"), (other, "/flights")]
    ) as cluster:
        proxy, cache = Proxy(cluster.proxy, within_s=30), AlluxioCache(cluster.address, own.access)

        assert [one.path for one in proxy.files(MOUNT) if not one.folder] == [f"{MOUNT}/x"]
        assert [one.path for one in proxy.files(f"{GRANTED}0") if not one.folder] == [f"{GRANTED}0/x"]
        assert set(proxy.mounts()) == {MOUNT, f"{GRANTED}0"}  # what it was not granted could not be mounted
        assert cache.resolve(own, "/insights/x").cached
        assert cache.resolve(other, f"{TASK}/x").cached
        assert not cache.resolve(other, f"{TASK}2/x").cached
        assert cache.warm(other, [f"{TASK}/x"], within_s=30) == len(b"told")
        with pytest.raises(CacheUnavailable):
            proxy.mount("/all", "s3://flights-data/", s3_properties(identified.endpoint, REGION))


def test_the_witness_without_the_names_of_folders_nothing_is_mounted(identified: Identified) -> None:
    own, _ = stores(identified)

    with pytest.raises(CacheUnavailable), running("insights", own, environment(identified, BARE)):
        pass

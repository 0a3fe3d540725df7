"""What a cluster gets for a team's cache, and for one whose store is a file system."""

from typing import Any

import pytest
import yaml

from framework.errors import ConfigError
from framework.tenancy.model import Team
from k8s.identity.documents import subjects_of
from k8s.platform import EfsFiles, NfsExport, NodeFolder, Platform
from k8s.render.cache import as_in_cluster
from k8s.render.objects import address
from k8s.render.team import team_objects
from k8s.standing import Identity, Mounted, standing_of
from tests.k8s.teams import PLATFORM, team

IMAGE = "registry.example.org/platform/alluxio:2.9"
CACHED = PLATFORM.model_copy(update={"cache_image": IMAGE})
CACHE = {"kind": "alluxio", "memory": "1Gi"}
EFS = {"kind": "efs", "root": "/mnt/flights", "uid": 4711, "gid": 4712}
NFS = PLATFORM.model_copy(update={"files": NfsExport(kind="nfs", server="files.example.org", path="/export")})


def found(objects: tuple[dict[str, Any], ...], kind: str) -> dict[str, Any]:
    (one,) = [one for one in objects if one["kind"] == kind]
    return one


def limits_of(objects: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    (one,) = [one for one in objects if one["kind"] == "TeamLimits" and one["metadata"]["namespace"] == "flights"]
    spec: dict[str, Any] = one["spec"]
    return spec


def test_a_cache_is_a_pod_of_the_teams_namespace() -> None:
    objects = team_objects(team("flights", cache=CACHE), CACHED)
    spec = found(objects, "StatefulSet")["spec"]["template"]["spec"]
    (container,) = spec["containers"]

    assert found(objects, "StatefulSet")["metadata"]["namespace"] == "flights"
    assert spec["serviceAccountName"] == "cache"
    assert spec["automountServiceAccountToken"] is False
    assert container["image"] == IMAGE
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "2432Mi"}
    assert {"name": "AWS_ROLE_ARN", "value": "arn:aws:iam::000000000000:role/teamspark-flights"} in container["env"]
    assert found(objects, "Service")["spec"]["clusterIP"] == "None"


def test_its_account_is_admitted_and_nothing_else_is_opened_by_it() -> None:
    plain, cached = (limits_of(team_objects(team("flights", **told), CACHED)) for told in ({}, {"cache": CACHE}))

    assert cached["accounts"] == [*plain["accounts"], "cache"]
    assert cached["images"] == [*plain["images"], IMAGE]
    assert {key: cached[key] for key in ("claims", "audiences", "operators", "executor", "driverUser")} == {
        key: plain[key] for key in ("claims", "audiences", "operators", "executor", "driverUser")
    }


def test_its_account_may_ask_kubernetes_for_nothing() -> None:
    objects = team_objects(team("flights", cache=CACHE), CACHED)
    bound = {subject["name"] for one in objects if one["kind"] == "RoleBinding" for subject in one["subjects"]}

    assert "cache" in {one["metadata"]["name"] for one in objects if one["kind"] == "ServiceAccount"}
    assert "cache" not in bound


@pytest.mark.parametrize(
    ("told", "platform"),
    [
        ({}, CACHED),
        ({"cache": CACHE}, PLATFORM),
        ({"cache": {**CACHE, "master": "cache.example.org:19998", "proxy": "http://cache.example.org:39999"}}, CACHED),
    ],
    ids=["no cache", "no image", "somebody's"],
)
def test_without_one_nothing_of_it_is_there(told: dict[str, Any], platform: Platform) -> None:
    mine = team("flights", **told)
    objects = team_objects(mine, platform)

    assert {"StatefulSet", "Service"}.isdisjoint(one["kind"] for one in objects)
    assert "cache" not in limits_of(objects)["accounts"]
    assert not [one for one in subjects_of(mine, platform) if one.endswith(":cache")]


def test_the_teams_role_is_for_its_cache_too() -> None:
    assert "system:serviceaccount:flights:cache" in subjects_of(team("flights", cache=CACHE), CACHED)


def test_it_knows_its_team_and_those_that_let_it_read_without_their_caches() -> None:
    grant = {"to": "flights", "read": ["insights.daily/weather"]}
    granting = team("insights", cache=CACHE, grants=[grant])
    template = found(team_objects(team("flights", cache=CACHE), CACHED, [granting]), "StatefulSet")["spec"]["template"]
    files = template["metadata"]["annotations"]

    assert set(files) == {"teams.teamspark.io/flights", "teams.teamspark.io/insights"}
    assert all("cache" not in yaml.safe_load(text) for text in files.values())
    (teams,) = [one for one in template["spec"]["volumes"] if one["name"] == "teams"]
    assert [item["path"] for item in teams["downwardAPI"]["items"]] == ["flights.yaml", "insights.yaml"]


def test_pods_see_the_cache_where_it_is() -> None:
    seen = as_in_cluster(team("flights", cache=CACHE), CACHED).cache

    assert seen is not None
    assert (seen.master, seen.proxy) == ("cache.flights.svc:19998", "http://cache.flights.svc:39999")
    assert as_in_cluster(team("flights", cache=CACHE), PLATFORM).cache is None, "a laptop's cache is no pod's"


def test_a_quota_that_a_run_and_the_cache_do_not_fit_into_is_refused() -> None:
    quota = {"cpu": 6, "memory": "12Gi", "pods": 2}  # a driver and an executor of the largest size, and nothing more

    assert team("flights", quota=quota, sizes={}).is_tenant
    with pytest.raises(ConfigError, match="the cache included"):
        team("flights", quota=quota, sizes={}, cache=CACHE)


def test_a_file_system_is_a_volume_that_is_bound_to_the_team() -> None:
    objects = team_objects(team("flights", store=EFS), NFS)
    volume, claim = found(objects, "PersistentVolume"), found(objects, "PersistentVolumeClaim")

    assert volume["spec"]["nfs"] == {"server": "files.example.org", "path": "/export/flights"}
    assert "hard" in volume["spec"]["mountOptions"]
    assert volume["spec"]["claimRef"] | {"apiVersion": "v1"} == {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": "flights", "name": "store",
    }  # fmt: skip
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
    assert limits_of(objects)["claims"] == ["store"]
    outside = [address(one) for one in objects if not one["metadata"].get("namespace")]
    assert {kind for _, kind, _, _ in outside} == {"Namespace", "PersistentVolume"}


def test_on_efs_it_is_the_teams_access_point() -> None:
    points = {"flights": "fsap-0123456789abcdef0"}
    files = EfsFiles(kind="efs", file_system="fs-0123456789abcdef0", access_points=points)
    platform = PLATFORM.model_copy(update={"files": files})

    volume = found(team_objects(team("flights", store=EFS), platform), "PersistentVolume")
    assert volume["spec"]["csi"]["volumeHandle"] == "fs-0123456789abcdef0::fsap-0123456789abcdef0"
    with pytest.raises(ConfigError, match="no access point"):
        team_objects(team("insights", store={**EFS, "root": "/mnt/insights"}), platform)


def test_pods_are_its_user_there_and_a_role_in_a_bucket() -> None:
    node = PLATFORM.model_copy(update={"files": NodeFolder(kind="node", path="/srv")})

    assert standing_of(team("flights", store=EFS), node) == Mounted("store", "/mnt/flights", 4711, 4712)
    assert standing_of(team("flights", store={"kind": "efs", "root": "/mnt/flights"}), node) == Mounted(
        "store", "/mnt/flights", 185, 185
    )
    assert isinstance(standing_of(team("flights"), node), Identity)
    assert standing_of(team("flights", store=EFS), PLATFORM) is None


def test_a_file_system_of_roots_is_refused_before_anything_is_applied() -> None:
    with pytest.raises(ConfigError, match="never run as root"):
        team_objects(team("flights", store={**EFS, "uid": 0}), NFS)


def test_the_platforms_file_is_checked() -> None:
    told = PLATFORM.model_dump(mode="json", exclude_none=True)

    with pytest.raises(ConfigError, match="latest"):
        Platform.parse({**told, "cache_image": "registry.example.org/alluxio:latest"}, where="platform.yaml")
    with pytest.raises(ConfigError, match="files"):
        Platform.parse({**told, "files": {"kind": "nfs", "server": "x", "path": "export"}}, where="platform.yaml")


def test_a_landing_is_a_bucket_or_a_folder() -> None:
    assert isinstance(team("flights", landing="s3://landing/flights"), Team)
    for wrong in ("landing", "s3://landing/", "https://landing", "/x/"):
        with pytest.raises(ConfigError, match="landing"):
            team("flights", landing=wrong)

import pytest

from framework.errors import ConfigError
from k8s.images.places import airflow_place, cache_place, team_place
from tests.k8s.teams import PLATFORM, team

FILE = "k8s/teams/flights.yaml"


@pytest.mark.parametrize(
    ("image", "place"),
    [
        ("registry.example.org/flights/jobs:1", "registry.example.org/flights/jobs"),
        (f"registry.example.org/flights/jobs@sha256:{'a' * 64}", "registry.example.org/flights/jobs"),
        (f"registry.example.org/flights/a/jobs:1@sha256:{'a' * 64}", "registry.example.org/flights/a/jobs"),
    ],
)
def test_a_team_s_image_goes_where_its_image_is(image: str, place: str) -> None:
    assert team_place(team("flights", image=image), FILE, None) == place


def test_or_where_it_is_told() -> None:
    beside = team("flights", images=["registry.example.org/flights/*", "other.example.org:5000/f/*"])

    assert team_place(beside, FILE, "other.example.org:5000/f/jobs") == "other.example.org:5000/f/jobs"


@pytest.mark.parametrize(
    "given",
    [
        "registry.example.org/insights/jobs",
        "registry.example.org/flights2/jobs",
        "registry.example.org/flights",
        "registry.example.org/flights/",
        "registry.example.org/flights/../insights/jobs",
        "registry.example.org/flights/jobs:1",
        "registry.example.org/flights/jobs@sha256:ab",
        "elsewhere.example.org/registry.example.org/flights/jobs",
        "docker://registry.example.org/flights/jobs",
        "registry.example.org/flights/Jobs",
        "",
    ],
)
def test_what_the_cluster_would_refuse_is_told_with_what_it_takes(given: str) -> None:
    with pytest.raises(ConfigError, match=r"registry\.example\.org/flights/\*"):
        team_place(team("flights"), FILE, given)


def test_a_team_without_an_image_has_to_say_where() -> None:
    with pytest.raises(ConfigError, match="--to, with a place of registry"):
        team_place(team("flights", image=None, sizes={}), FILE, None)


def test_a_team_of_no_cluster_is_told_what_its_file_lacks() -> None:
    loose = team("flights", quota=None, limits=None, images=[], image=None, sizes={})

    with pytest.raises(ConfigError, match="add quota, limits and images"):
        team_place(loose, FILE, "registry.example.org/flights/jobs")


def test_airflow_s_image_goes_below_the_platform_s_prefix() -> None:
    assert airflow_place(PLATFORM, None) == "registry.example.org/airflow/airflow"
    assert airflow_place(PLATFORM, "registry.example.org/airflow/x") == "registry.example.org/airflow/x"


@pytest.mark.parametrize("given", ["registry.example.org/flights/jobs", "registry.example.org/airflow/", ""])
def test_airflow_s_image_goes_nowhere_else(given: str) -> None:
    with pytest.raises(ConfigError, match=r"expected: registry\.example\.org/airflow/"):
        airflow_place(PLATFORM, given)


def test_a_platform_without_airflow_is_told() -> None:
    with pytest.raises(ConfigError, match="no airflow_images"):
        airflow_place(PLATFORM.model_copy(update={"airflow_images": ()}), None)


def test_the_caches_image_goes_where_the_platforms_file_has_it() -> None:
    platform = PLATFORM.model_copy(update={"cache_image": "registry.example.org/platform/alluxio:2.9.6"})

    assert cache_place(platform, None) == "registry.example.org/platform/alluxio"
    assert cache_place(PLATFORM, "registry.example.org/x/y") == "registry.example.org/x/y"
    with pytest.raises(ConfigError, match="no cache_image"):
        cache_place(PLATFORM, None)
    with pytest.raises(ConfigError, match="not a place"):
        cache_place(PLATFORM, "x")

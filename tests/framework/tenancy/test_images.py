"""Names of images: what one may be called, and put together from parts."""

import pytest

from framework.tenancy.images import pinned, repository_of, wished

OWN = "registry.example.org:5000/flights/jobs:1"
DIGEST = f"sha256:{'ab' * 32}"


@pytest.mark.parametrize(
    "image", [OWN, f"registry.example.org:5000/flights/jobs@{DIGEST}", "registry.example.org:5000/flights/jobs"]
)
def test_a_repository_is_without_tag_and_digest(image: str) -> None:
    assert repository_of(image) == "registry.example.org:5000/flights/jobs"


@pytest.mark.parametrize(
    ("image", "tag", "found"),
    [
        (None, None, OWN),
        (None, "2", "registry.example.org:5000/flights/jobs:2"),
        ("registry.example.org/flights/tools", "2", "registry.example.org/flights/tools:2"),
        ("registry.example.org/flights/tools:3", None, "registry.example.org/flights/tools:3"),
        (f"registry.example.org/flights/tools@{DIGEST}", None, f"registry.example.org/flights/tools@{DIGEST}"),
    ],
)
def test_a_task_may_name_either_or_both(image: str | None, tag: str | None, found: str) -> None:
    assert wished(image, tag, OWN) == found


@pytest.mark.parametrize(
    ("image", "tag", "default"),
    [
        ("registry.example.org/flights/tools", None, OWN),
        ("registry.example.org/flights/tools:3", "3", OWN),
        (f"registry.example.org/flights/tools@{DIGEST}", "3", OWN),
        (None, "latest", OWN),
        (None, "3", None),
        ("Tools", "3", OWN),
        ("registry.example.org/../tools", "3", OWN),
    ],
)
def test_what_is_no_name_or_moves_is_refused(image: str | None, tag: str | None, default: str | None) -> None:
    with pytest.raises(ValueError, match=r"expected|already|without an image"):
        wished(image, tag, default)


def test_a_node_tells_the_digest_that_a_registry_knows() -> None:
    assert (
        pinned(OWN, f"registry.example.org:5000/flights/jobs@{DIGEST}")
        == f"registry.example.org:5000/flights/jobs@{DIGEST}"
    )
    assert pinned(OWN, f"docker-pullable://registry.example.org:5000/flights/jobs@{DIGEST}") == (
        f"registry.example.org:5000/flights/jobs@{DIGEST}"
    )


@pytest.mark.parametrize("told", ["", DIGEST, "registry.example.org/flights/jobs:1", "x@sha256:short"])
def test_what_it_tells_else_pins_nothing(told: str) -> None:
    assert pinned(OWN, told) is None

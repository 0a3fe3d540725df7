"""Where an image may be pushed to: nowhere that the cluster would refuse to run it from."""

import re
from typing import Final

from framework.errors import ConfigError
from framework.tenancy.images import repository_of
from framework.tenancy.model import Team
from k8s.platform import FILE, Platform

_PLACE: Final = re.compile(r"[a-z0-9.-]+(?::\d{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)+")


def team_place(team: Team, file: str, given: str | None) -> str:
    """``given``, else the place of the ``image`` of the team's file. Raises: ConfigError for one that ``images`` does not cover."""
    if not team.images:
        raise ConfigError(
            "no image of this team would run anywhere",
            where=file, got="no images", expected="images: [registry.example.org/path/*]",
            next_step="add quota, limits and images to the team file",
        )  # fmt: skip
    allowed = ", ".join(team.images)
    if given is None and team.image is None:
        raise ConfigError("it is not known where to push to", where=file, expected=f"--to, with a place of {allowed}")
    place = repository_of(team.image or "") if given is None else given
    if not _PLACE.fullmatch(place) or not team.may_run(f"{place}:1"):
        raise ConfigError("the cluster runs no image of this team from there", where=file, got=place, expected=allowed)
    return place


def airflow_place(platform: Platform, given: str | None) -> str:
    """``given``, else ``airflow`` below the first prefix of ``airflow_images``. Raises: ConfigError for one below none of them."""
    prefixes = platform.airflow_images
    if not prefixes:
        raise ConfigError(
            "no image of Airflow's workers would run anywhere",
            where=FILE, got="no airflow_images", expected="airflow_images: [registry.example.org/airflow/]",
        )  # fmt: skip
    place = f"{prefixes[0]}airflow" if given is None else given
    if not _PLACE.fullmatch(place) or not place.startswith(prefixes):
        raise ConfigError(
            "the cluster runs no image of Airflow's workers from there",
            where=FILE, got=place, expected=", ".join(prefixes),
        )  # fmt: skip
    return place


def cache_place(platform: Platform, given: str | None) -> str:
    """``given``, else the place of ``cache_image``. Raises: ConfigError for none."""
    if given is None and platform.cache_image is None:
        raise ConfigError(
            "it is not known where to push to",
            where=FILE, got="no cache_image", expected="--to REGISTRY/PATH, or cache_image in the platform's file",
        )  # fmt: skip
    place = repository_of(platform.cache_image or "") if given is None else given
    if not _PLACE.fullmatch(place):
        raise ConfigError(
            "not a place of a registry", where="--to", got=place, expected="registry.example.org/path/name"
        )
    return place

"""What a run gets: the image and the named size of its team's file. Pure."""

from typing import Final

from framework.errors import ConfigError
from framework.launch.base import Resources, Share
from framework.schema.annotations import nearest
from framework.tenancy.cluster import PodSize, Size
from framework.tenancy.model import Team

SMALLEST: Final = "S"


def resources_of(
    team: Team, size: str | None = None, *, image: str | None = None, file: str = "the team file"
) -> Resources:
    """``size``: a name of the file's ``sizes``; None is ``S`` where there is one, else one executor as large as may be.

    Raises: ConfigError with all that is missing or too much.
    """
    limits = team.limits
    chosen = image or team.image
    wrong = [*_missing(team, chosen), *_foreign(team, chosen)]
    wrong += unknown_size(team, size)
    if wrong or limits is None or chosen is None:
        raise ConfigError(
            "the team's runs do not fit on a cluster", where=file, details=wrong, next_step=f"correct {file}"
        )
    found = team.sizes.get(size or SMALLEST) or Size(executors=1)
    return Resources(
        chosen, _share(found.driver or limits.driver), _share(found.executor or limits.executor), found.executors
    )


def unknown_size(team: Team, size: str | None) -> list[str]:
    """A sentence where the team file has no such size."""
    if size is None or size in team.sizes:
        return []
    return [f"size {size}{nearest(size, team.sizes)}: of {', '.join(team.sizes) or 'none'}"]


def _missing(team: Team, image: str | None) -> list[str]:
    needed = {"limits": team.limits, "quota": team.quota, "image": image}
    return [f"{name}: missing" for name, value in needed.items() if value is None]


def _foreign(team: Team, image: str | None) -> list[str]:
    return [f"image {image} is below none of images"] if image and team.images and not team.may_run(image) else []


def _share(size: PodSize) -> Share:
    return Share(size.cpu, size.memory)

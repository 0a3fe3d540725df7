"""A team file from a record: for team files that are made, not written."""

import yaml

from framework.tenancy.model import Team
from framework.tenancy.places import AlluxioPlace, StorePlace


def with_store(team: Team, place: StorePlace) -> Team:
    """The same team, with its outputs elsewhere."""
    return team.model_copy(update={"store": place})


def with_cache(team: Team, place: AlluxioPlace | None) -> Team:
    """The same team, with another cache before its store, or none."""
    return team.model_copy(update={"cache": place})


def as_yaml(team: Team) -> str:
    """The file that ``load_teams`` reads as ``team``."""
    told = team.model_dump(mode="json", exclude_defaults=True)
    first = {"team": team.team, "owners": list(team.owners)}
    return yaml.safe_dump(first | told, sort_keys=False)

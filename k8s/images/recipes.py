"""The images that ``teamspark image`` knows, by what they are asked for."""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from k8s.images.airflow import build_airflow
from k8s.images.cache import build_cache
from k8s.images.parts import Builder
from k8s.images.push import Make
from k8s.images.spark import Image, build_spark
from k8s.images.team import build_team, code_part

AIRFLOW_LOCK: Final = "locks/airflow.txt"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Archives of one image: ``whole``, and ``thin``, without the layers of ``base``; both None where nothing is below."""

    whole: Make
    thin: Make | None = None
    base: Make | None = None


def team_recipe(workspace: Path, team: str, builder: Builder, output: Path | None) -> Recipe:
    """A team's jobs over the Spark image. Raises: ConfigError, before anything is built, for a team without jobs."""
    code_part(workspace, team)
    base = cache(lambda: build_spark(builder))

    def make(*, thin: bool) -> Image:
        return build_team(workspace, team, base(), builder=builder, output=output, thin=thin)

    return Recipe(partial(make, thin=False), partial(make, thin=True), base)


def airflow_recipe(workspace: Path, builder: Builder, output: Path | None) -> Recipe:
    """What Airflow's workers run in."""
    return Recipe(lambda: build_airflow(builder, workspace / AIRFLOW_LOCK, output=output))


def cache_recipe(builder: Builder) -> Recipe:
    """What teams' caches run in, over the Spark image."""
    base = cache(lambda: build_spark(builder))
    return Recipe(lambda: build_cache(builder, base()), lambda: build_cache(builder, base(), thin=True), base)

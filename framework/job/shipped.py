"""A job of code that was shipped to where it runs, and may have stayed behind what a DAG was written for."""

from framework.errors import ConfigError, DefinitionError
from framework.identity import JobName
from framework.job.digest import code_digest
from framework.job.load import load_job
from framework.job.model import Job


def load_shipped(name: str, team: str, *, image: str | None, digest: str | None) -> type[Job]:
    """``load_job`` of a run of ``team``. ``image``: what the run is in. ``digest``: of the team's jobs where its task started.

    What is None is not known, and not asked.

    Raises: as ``load_job``; ConfigError, which says how to ship, for a job that is not in the image, and for other code.
    """
    JobName.parse(name)
    try:
        found = load_job(name)
    except ConfigError as error:
        raise error if image is None else _absent(error, image, team) from error
    except DefinitionError:
        _require(team, image, digest)  # what is wrong here may have been mended there
        raise
    _require(team, image, digest)
    return found


def _absent(error: ConfigError, image: str, team: str) -> ConfigError:
    return ConfigError(
        f"the image has no such job: {error.what}",
        where=image, got=error.where, expected=error.expected, next_step=_remedy(team),
    )  # fmt: skip


def _require(team: str, image: str | None, digest: str | None) -> None:
    if digest is None:
        return
    found = code_digest(team)
    if found != digest:
        raise ConfigError(
            f"the jobs of {team} are not those that this task was started with",
            where=image, got=found, expected=digest, next_step=_remedy(team),
        )  # fmt: skip


def _remedy(team: str) -> str:
    return (
        f"teamspark image build {team}; teamspark image push {team}; write the line that it prints into the team file"
    )

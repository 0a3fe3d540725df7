"""The layer ``airflow`` of ``teamspark team``: a team's rows, all in one transaction, in Airflow's own environment."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from airflow_bindings.onboarding.rows import (
    Found,
    Wanted,
    conflicts,
    missing_rows,
    superfluous_rows,
    unfilled,
    wanted,
)
from airflow_bindings.onboarding.settings import processes, settings
from framework.errors import ConfigError, PolicyError, ServerFailed
from framework.tenancy.layers import Phase, Prospect, Question, Site, Step, Verb, Verdict
from framework.tenancy.model import Team
from framework.tenancy.names import Names

NAME: Final = "airflow"
API: Final = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
DATABASE: Final = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
HOME: Final = "AIRFLOW_HOME"
ASK_S: Final = 120.0
_ROWS: Final = "rows in Airflow's database"


@dataclass(frozen=True)
class AirflowLayer:
    """The Airflow that this process's environment names, as the ``airflow`` command finds it."""

    site: Site

    @property
    def name(self) -> str:
        return NAME

    def prospect(self, team: Team) -> Prospect:
        want, found = wanted(team), self._survey(team.team)
        if wrong := list(conflicts(want, found)):
            raise ConfigError(
                "what carries the team's name in Airflow is not the team's",
                where=f"team '{team.team}'",
                details=wrong,
                next_step="nothing was changed: rename or delete them there",
            )
        lines = tuple(missing_rows(want, found))
        remarks = tuple(f"{NAME}: {line}" for line in self._left(want, found))
        verb = Verb.change if found.team else Verb.create
        ask = partial(self._ask, {"do": "onboard", "wanted": want.model_dump(mode="json")})
        steps = (Step(NAME, Phase.permit, verb, f"{_ROWS} of '{team.team}'", lines, ask),) if lines else ()
        return Prospect(steps, remarks)

    def _left(self, want: Wanted, found: Found) -> list[str]:
        told = list(unfilled(want, found))
        if not found.listed:
            told.append(f"no DAG bundle of '{want.team}' is configured: deploy teamspark team render --layer {NAME}")
        return told

    def farewell(self, team: str) -> Prospect:
        """While the configuration names the team, its row stays: a DAG processor without it would end for everybody."""
        found = self._survey(team)
        lines = tuple(superfluous_rows(team, found))
        if not lines:
            return Prospect()
        if found.listed:
            raise PolicyError(
                "the running configuration still names a DAG bundle of this team",
                where=f"team '{team}'",
                got="without its row the DAG processor would end, for every team",
                next_step=f"remove the team file, deploy teamspark team render --layer {NAME}, then run this again",
            )
        ask = partial(self._ask, {"do": "offboard", "team": team})
        return Prospect((Step(NAME, Phase.revoke, Verb.delete, f"{_ROWS} of '{team}'", lines, ask),))

    def present(self) -> Mapping[str, str]:
        return dict.fromkeys(self._ask({"do": "teams"}), "here")

    def takeovers(self) -> tuple[str, ...]:
        """DAG ids that another team's bundle has, one line each."""
        return tuple(self._ask({"do": "takeovers"}))

    def render(self, team: Team | None) -> str:
        """Environment variables of a deployment of all teams; with a team, the processes that are its own."""
        if team is not None:
            lines = [f"{user}: {' '.join(command)}" for user, command in processes([team.team])]
        else:
            api = self.site.environ.get(API, "http://airflow-api-server:8080/execution/")
            lines = [f"{name}={value}" for name, value in settings(self.site.teams.by_name, api).items()]
        return "\n".join(lines) + "\n"

    def decide(self, question: Question) -> Verdict:
        kind, colon, name = question.resource.partition(":")
        if not (colon and name) or kind not in ("connection", "variable", "pool", "dag"):
            return Verdict(
                NAME, None, "connection:NAME, variable:NAME, pool:NAME or dag:ID is what Airflow is asked for"
            )
        return _decided(question.team, kind, name)

    def _survey(self, team: str) -> Found:
        return Found.parse(self._ask({"do": "survey", "team": team}), where="airflow")

    def _ask(self, question: Mapping[str, Any]) -> Any:
        """Raises: ConfigError without an Airflow; ServerFailed with the end of what it said."""
        if DATABASE not in self.site.environ and HOME not in self.site.environ:
            raise ConfigError(
                "there is no Airflow in this environment",
                expected=f"{HOME} or {DATABASE}, as the airflow command needs them",
                next_step="set them as in Airflow's deployment; or leave it out: --layer kubernetes --layer store",
            )
        with tempfile.TemporaryDirectory(prefix="teamspark-") as folder:
            file = Path(folder) / "question.json"
            file.write_text(json.dumps(question), encoding="utf-8")
            command = [sys.executable, "-m", "airflow_bindings.onboarding.tool", str(file)]
            done = subprocess.run(
                command, env=dict(self.site.environ), capture_output=True, text=True, timeout=ASK_S, check=False
            )
            if done.returncode != 0:
                raise ServerFailed(
                    "Airflow's database did not answer",
                    got=_cause(done.stderr) or f"exit code {done.returncode}",
                    next_step="see that it is up and migrated: airflow db check",
                )
            return json.loads(file.read_text(encoding="utf-8"))


def _cause(text: str) -> str:
    """The last line that says something: SQLAlchemy's is an address."""
    told = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith(("(Background", "[SQL"))]
    return told[-1] if told else ""


def make(site: Site) -> AirflowLayer:
    """What the entry point ``teamspark.layers`` names."""
    return AirflowLayer(site)


def _decided(team: str, kind: str, name: str) -> Verdict:
    """By name alone: what no team's name is before is everybody's."""
    if kind == "dag":
        mine = name.startswith(f"{team}.")
        rule = (
            "policy: DAG ids of a team's bundle start with its name and a dot"
            if mine
            else (
                "policy: an import error in this team's bundle; triggering it is no wall: Airflow lets any task do so, "
                "and nothing of ours trusts such a run"
            )
        )
        return Verdict(NAME, mine, rule)
    if kind == "pool":
        return Verdict(
            NAME,
            Names(team).has_pool(name),
            "policy: pools of a team's tasks are default_pool, its own, and <team>__<name>",
        )
    owner, double, _ = name.partition("__")
    if not double or owner == team:
        return Verdict(NAME, True, f"the server gives {kind}s of the team, and everybody's")
    return Verdict(NAME, False, f"the server hides {kind}s of team '{owner}'")

"""``python -m airflow_bindings.onboarding.tool FILE``: one question to Airflow's database, in Airflow's own environment.

FILE holds the question as JSON, and the answer afterwards: Airflow prints what it likes to standard output.
"""

import json
import sys
from pathlib import Path
from typing import Any

from airflow_bindings.onboarding import database
from airflow_bindings.onboarding.rows import Wanted


def main(file: Path) -> None:
    asked = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(_answer(asked)), encoding="utf-8")


def _answer(asked: dict[str, Any]) -> Any:
    match asked["do"]:
        case "survey":
            return database.survey(asked["team"]).model_dump(mode="json")
        case "onboard":
            return database.onboard(Wanted.parse(asked["wanted"], where="wanted"))
        case "offboard":
            return database.offboard(asked["team"])
        case "takeovers":
            from airflow_bindings.onboarding.takeovers import takeovers

            return takeovers()
        case _:
            return database.teams()


if __name__ == "__main__":
    main(Path(sys.argv[1]))

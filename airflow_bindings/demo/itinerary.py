"""Which DAGs run for which dates, and in which order. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from airflow_bindings.local.drive import Leg

FIRST_DAY: Final = datetime(2013, 1, 1, tzinfo=UTC)
MAX_DAYS: Final = 365


@dataclass(frozen=True, slots=True)
class TeamDag:
    team: str
    dag_id: str


# In this order for each date: insights waits for what flights publishes, and a waiting task holds a place.
DAGS: Final = (TeamDag("flights", "flights.daily"), TeamDag("insights", "insights.daily"))


def itineraries(days: int) -> tuple[tuple[Leg, ...], ...]:
    """One sequence of legs per date; sequences do not wait for each other."""
    dates = [FIRST_DAY + timedelta(days=n) for n in range(days)]
    return tuple(tuple(Leg(dag.team, dag.dag_id, date) for dag in DAGS) for date in dates)

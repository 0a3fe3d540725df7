"""What the flights team publishes, and what it is sent."""

from datetime import date
from typing import Annotated

from annotated_types import Ge, Le
from pydantic import AwareDatetime, StringConstraints

from framework import Int16, Schema, Warn

Carrier = Annotated[str, StringConstraints(pattern="^[0-9A-Z]{2}$")]
Airport = Annotated[str, StringConstraints(pattern="^[A-Z]{3}$")]
Minutes = Annotated[float, Ge(-120), Warn(Le(24 * 60))]


class RawFlight(Schema):
    """A row of the airline statistics file, as far as it is used."""

    year: Int16
    month: Int16
    day: Int16
    carrier: str
    flight: int
    tailnum: str | None
    origin: str
    dest: str
    dep_delay: float | None
    arr_delay: float | None
    distance: int
    time_hour: AwareDatetime


class Flight(Schema, key=("carrier", "flight", "flight_date", "origin")):
    """One flight that took off. Its hour is the scheduled one, in UTC; delays are minutes, early ones negative."""

    flight_date: date
    carrier: Carrier
    flight: Annotated[int, Ge(1)]
    tailnum: str | None
    origin: Airport
    dest: Airport
    time_hour: AwareDatetime
    dep_delay: Minutes
    arr_delay: Minutes | None
    distance: Annotated[int, Ge(1)]


class Cancelled(Schema, key=("carrier", "flight", "flight_date", "origin")):
    """One flight that was scheduled and never took off."""

    flight_date: date
    carrier: Carrier
    flight: Annotated[int, Ge(1)]
    origin: Airport
    dest: Airport
    time_hour: AwareDatetime


class Delay(Schema, key=("flight_date", "name")):
    """How late the flights of one carrier, or of one route, left on one day."""

    flight_date: date
    name: str
    flights: Annotated[int, Ge(1)]
    mean_delay: Minutes
    late_share: Annotated[float, Ge(0), Le(1)]

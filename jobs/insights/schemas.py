"""What the insights team publishes, what it is sent, and what it reads of other teams."""

from datetime import date
from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import AwareDatetime

from framework import Int16, Schema


class RawWeather(Schema):
    """A row of the weather stations' file, as far as it is used. Date and hour are local, ``time_hour`` is UTC."""

    origin: str
    year: Int16
    month: Int16
    day: Int16
    wind_speed: float | None
    visib: float
    time_hour: AwareDatetime


class Weather(Schema, key=("origin", "time_hour")):
    """The weather at one airport in one hour. Wind in miles per hour, visibility in miles."""

    origin: str
    time_hour: AwareDatetime
    wind_speed: Annotated[float, Ge(0), Le(200)] | None
    visib: Annotated[float, Ge(0)]


class Departure(Schema):
    """The columns that we read of the flights team's flights."""

    flight_date: date
    origin: str
    time_hour: AwareDatetime
    dep_delay: float


class WindImpact(Schema, key=("flight_date", "origin", "wind")):
    """How late flights left an airport, by the wind that blew. Wind is 'unknown' where no station reported."""

    flight_date: date
    origin: str
    wind: Literal["calm", "breeze", "strong", "unknown"]
    flights: Annotated[int, Ge(1)]
    mean_delay: float

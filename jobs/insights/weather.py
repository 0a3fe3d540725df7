"""Weather at the airports, and what it does to departures."""

from typing import Annotated

from pyspark.sql import functions as F

from framework import Frame, Job, Run, Source

from .schemas import Departure, RawWeather, Weather, WindImpact

BREEZE_MPH = 8
STRONG_MPH = 19


class IngestWeather(Job):
    """Typed hours of the run's date, at the airports' own time."""

    def transform(self, raw: Annotated[Frame[RawWeather], Source("station_weather")], run: Run) -> Frame[Weather]:
        return raw.where(F.make_date("year", "month", "day") == run.date).select(*Weather.c)


class WindDelays(Job):
    """Mean delay by airport and wind, each flight with the weather of its hour."""

    def transform(self, departures: Frame[Departure], weather: Frame[Weather]) -> Frame[WindImpact]:
        speed = F.col("wind_speed")
        wind = (
            F.when(speed.isNull(), "unknown")
            .when(speed < BREEZE_MPH, "calm")
            .when(speed < STRONG_MPH, "breeze")
            .otherwise("strong")
        )
        hours = departures.join(weather, ["origin", "time_hour"], "left")
        groups = hours.groupBy("flight_date", "origin", wind.alias("wind"))
        return groups.agg(F.count("*").alias("flights"), F.avg("dep_delay").alias("mean_delay"))

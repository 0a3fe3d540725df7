"""What the wind does to departures: reads the flights team's output, by its grant."""

from datetime import datetime

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_bindings import SparkExecutionEnvironmentOperator as Spark
from airflow_bindings import Upstream

with DAG(
    "insights.daily",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2013, 1, 1),
    catchup=False,
):
    weather = Spark(task_id="weather", job="jobs.insights.weather:IngestWeather")
    Spark(
        task_id="wind_delays",
        job="jobs.insights.weather:WindDelays",
        inputs={
            "departures": Upstream("ingest", dag_id="flights.daily", team="flights", wait="PT30M"),
            "weather": weather.output,
        },
    )

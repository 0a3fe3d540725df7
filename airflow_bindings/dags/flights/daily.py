"""The flights of each day, and how late they were."""

from datetime import datetime

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_bindings import SparkExecutionEnvironmentOperator as Spark

with DAG(
    "flights.daily",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2013, 1, 1),
    catchup=False,
):
    ingest = Spark(task_id="ingest", job="jobs.flights.ingest:IngestFlights")
    for by, min_flights in (("carrier", 1), ("route", 3)):
        Spark(
            task_id=f"delays_by_{by}",
            job="jobs.flights.delays:Delays",
            parameters={"by": by, "min_flights": min_flights},
            inputs={"flights": ingest.output},
        )

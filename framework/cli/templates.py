"""The files that ``teamspark new`` writes. ``$name`` is the job's or DAG's name, ``$Name`` its class, ``$team`` the team.

They follow the house rules of the repository as written: linters, type checkers and tests accept them unchanged.
"""

from string import Template
from typing import Final

TEAM: Final = Template("""\
team: $team
owners: [$owner]
store: {kind: directory, root: $root}
# Places outside the platform that this team's sources may read.
reads: ["landing/$team/*"]
""")

SCHEMAS: Final = Template('''\
"""What ${Name} takes and gives."""

from datetime import date
from typing import Annotated

from annotated_types import Ge

from framework import Schema


class Amount(Schema):
    """One amount, as it comes in."""

    day: date
    name: str
    amount: Annotated[float, Ge(0)] | None


class Total(Schema, key=("day", "name")):
    """The amounts of one name on one day, added up. Missing amounts count as rows only."""

    day: date
    name: str
    rows: Annotated[int, Ge(1)]
    total: Annotated[float, Ge(0)]
''')

JOB: Final = Template('''\
"""Adds up the amounts of each name and day."""

$typing
from pyspark.sql import functions as F

from framework import $names

from .$schemas import Amount, Total


class ${Name}(Job):
    """Total amount of each name, for names with at least ``min_rows`` rows on the day."""

    min_rows: Annotated[int, Ge(1)] = 1

    def transform(self, rows: $port, run: Run) -> Frame[Total]:
        today = rows.where(F.col("day") == run.date)
        totals = today.groupBy("day", "name").agg(
            F.count("*").alias("rows"),
            F.coalesce(F.sum("amount"), F.lit(0.0)).alias("total"),
        )
        return totals.where(F.col("rows") >= self.min_rows)
''')
JOB_TYPING: Final = "from typing import Annotated\n\nfrom annotated_types import Ge"

SOURCE: Final = Template("""\
$name: {kind: files, format: csv, uri: "landing/$team/$name/*.csv"}
""")

CASE: Final = """\
run: 2026-01-01
parameters: {min_rows: 2}
"""
ROWS_IN: Final = """\
day,name,amount
2026-01-01,apples,1.5
2026-01-01,apples,2
2026-01-01,pears,
2026-01-01,pears,
2026-01-01,plums,9
2026-01-02,apples,100
"""
ROWS_OUT: Final = """\
day,name,rows,total
2026-01-01,apples,2,3.5
2026-01-01,pears,2,0
"""

DAG: Final = Template('''\
"""Runs ${Name} every day."""

from datetime import datetime

from airflow.sdk import DAG, CronDataIntervalTimetable

from airflow_bindings import SparkExecutionEnvironmentOperator as Spark$upstream

with DAG(
    "$team.$name",
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
):
    $call
''')

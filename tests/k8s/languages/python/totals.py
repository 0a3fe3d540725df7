"""Flights and minutes of each carrier, by pyarrow."""

import json
import os
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.parquet as pq

told = json.loads(Path(os.environ["TEAMSPARK_CONFIG"]).read_text())
delays = ds.dataset(told["inputs"]["delays"]["path"], format="parquet", partitioning=None).to_table()
sums = delays.group_by("carrier").aggregate([("flights", "sum"), ("minutes", "sum")])
table = sums.select(["carrier", "flights_sum", "minutes_sum"]).rename_columns(["carrier", "flights", "minutes"])
pq.write_table(table, Path(told["outputs"]["default"]["path"]) / "totals.parquet")

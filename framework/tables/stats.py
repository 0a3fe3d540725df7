"""What Delta shall know of a data file, as its JSON: so far, how many rows it has."""

import json


def stats_json(rows: int | None) -> str | None:
    return None if rows is None else json.dumps({"numRecords": rows})

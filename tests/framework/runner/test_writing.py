"""What the manifest says of an output, without Spark."""

import pytest

from framework.job import OutputPort
from framework.manifest import FileEntry
from framework.runner.writing import _entry
from framework.schema.model import Schema, schema_spec
from framework.spark.verify import CheckReport


class Amount(Schema):
    """One amount."""

    amount: float


@pytest.mark.parametrize("keep", [None, "P30D"])
def test_how_long_an_output_is_kept_travels_in_its_manifest(keep: str | None) -> None:
    port = OutputPort("rejects", schema_spec(Amount), keep)
    file = FileEntry(path="rejects/part-0.parquet", bytes=12)

    entry = _entry(port, (file,), CheckReport(rows=(3,), violations={"rejects.amount.null": 0}))

    assert entry.keep == keep
    assert (entry.name, entry.rows, entry.bytes, entry.files[0].rows) == ("rejects", 3, 12, 3)

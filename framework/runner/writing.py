"""Frames become the files of an attempt, and the files, once they are checked, become the manifest's entries."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from framework.job import JobContract
from framework.spark.frames import verify_columns

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def checked(frames: Mapping[str, "DataFrame"], contract: JobContract) -> dict[str, "DataFrame"]:
    """The outputs with exactly their declared columns. Raises: SchemaMismatch for all outputs that differ."""
    return {
        port.name: verify_columns(frames[port.name], port.schema, where=f"{contract.job} output '{port.name}'")
        for port in contract.outputs
    }

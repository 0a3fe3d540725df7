"""A listing is compared with what the committer of an object store has completed."""

from typing import Any

import pytest

from framework.errors import StoreUnavailable
from framework.manifest import FileEntry
from framework.runner.writing import _require_all
from framework.spark.committed import Committed
from framework.spark.write import WriteFacts

FILES = (FileEntry(path="default/part-0", bytes=5), FileEntry(path="default/part-1", bytes=7))
FRAME: Any = None


@pytest.mark.parametrize("committed", [None, Committed(frozenset({"part-0", "part-1"}))])
def test_all_that_was_committed_is_listed(committed: Committed | None) -> None:
    _require_all(FILES, WriteFacts(1, {}, FRAME, committed), where="output default")


@pytest.mark.parametrize("files", [FILES[:1], ()])
def test_a_listing_that_lacks_a_file_stops_the_run(files: tuple[FileEntry, ...]) -> None:
    with pytest.raises(StoreUnavailable, match="does not list all") as told:
        _require_all(
            files, WriteFacts(1, {}, FRAME, Committed(frozenset({"part-0", "part-1"}))), where="output default"
        )

    assert "part-1" in told.value.details

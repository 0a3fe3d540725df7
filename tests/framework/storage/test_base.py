"""The grammar of logical paths: one match decides, and says the same as a reading segment by segment."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.errors import PathError
from framework.storage.base import sizes_by_folder, split_file, split_path

# What the grammar speaks of, and what a regular expression may take for a line's end or for nothing.
HOSTILE = "/.\\_a!\x00\n\r\x1f\x20\x7f\x80\x85é\u2028\U0001f600\udc80"


def paths(alphabet: st.SearchStrategy[str] | str) -> st.SearchStrategy[str]:
    segment = st.sampled_from([".", "..", "...", "", ".a", "..a", "a", "a.", "\n", "a\n"]) | st.text(
        alphabet, max_size=4
    )
    joined = st.lists(segment, max_size=5).map("/".join)
    return joined | joined.map("/{}".format) | st.text(alphabet, max_size=12)


def by_segment(path: str) -> tuple[str, ...] | None:
    """The segments; None for what is no path."""
    first, *parts = path.split("/")
    if path == "/":
        return ()
    if first or not parts or any(part in {"", ".", ".."} for part in parts):
        return None
    return None if any(ord(char) < 0x20 or ord(char) == 0x7F for char in path) else tuple(parts)


@settings(max_examples=1000, deadline=None)
@given(paths(HOSTILE) | paths(st.characters(codec=None)))
def test_one_match_accepts_what_a_reading_by_segment_does(path: str) -> None:
    wanted = by_segment(path)

    if wanted is None:
        with pytest.raises(PathError):
            split_path(path)
    else:
        assert split_path(path) == wanted


@settings(max_examples=1000, deadline=None)
@given(paths(HOSTILE))
def test_files_are_told_apart_by_folder_as_one_by_one(path: str) -> None:
    try:
        parents, name = split_file(path)
    except PathError:
        with pytest.raises(PathError):
            sizes_by_folder([("/flights/a", 1), (path, 7)])
    else:
        assert sizes_by_folder([(path, 7)]) == {"/" + "/".join(parents): {name: 7}}


def test_each_folder_is_there_once() -> None:
    found = sizes_by_folder([("/t/a/1", 1), ("/t/b/1", 2), ("/t/a/2", 3), ("/t", 4)])

    assert found == {"/t/a": {"1": 1, "2": 3}, "/t/b": {"1": 2}, "/": {"t": 4}}

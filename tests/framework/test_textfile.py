"""Text files of people: whatever their editor made of them."""

from pathlib import Path

import pytest

from framework.errors import ConfigError
from framework.textfile import read_text


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_text(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "a").write_bytes(mark + "é\n".encode())

    assert read_text(tmp_path / "a") == "é\n"


def test_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("one\ntwo\nÅre".encode("latin-1"))

    with pytest.raises(ConfigError, match="a file is not UTF-8") as told:
        read_text(tmp_path / "a")
    assert told.value.where == f"{tmp_path / 'a'} line 3"
    assert told.value.got == "the byte 0xc5"


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a file cannot be read"):
        read_text(tmp_path)

"""Text files that people write: UTF-8, whatever their editor thinks, or an error that says where not."""

from pathlib import Path

from framework.errors import ConfigError


def read_text(path: Path) -> str:
    """The text of ``path``, without a byte-order mark. Raises: ConfigError with the line of a byte that is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError("a file cannot be read", where=str(path), got=error.strerror) from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "a file is not UTF-8",
            where=f"{path} line {line}",
            got=f"the byte 0x{data[error.start]:02x}",
            next_step="save it as UTF-8",
        ) from None

"""Names in SQL: any text as an identifier, so that no statement is ever made by pasting one. Pure."""

from dataclasses import dataclass
from typing import Final

from framework.errors import ConfigError

_LONGEST: Final = 63  # bytes of an identifier; PostgreSQL cuts longer ones in silence


@dataclass(frozen=True, slots=True)
class TableName:
    """A table's name, in two parts; either may be any text that PostgreSQL takes."""

    schema: str
    name: str

    @classmethod
    def of(cls, text: str) -> "TableName":
        """``schema.table``; without a schema it is ``public``. Raises: ValueError."""
        schema, dot, name = text.rpartition(".")
        schema = schema if dot else "public"
        if "." in schema:
            raise ValueError("expected <schema>.<table>, with one dot")
        for part in (schema, name):
            quoted(part)
        return cls(schema, name)

    @property
    def sql(self) -> str:
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def quoted(name: str) -> str:
    """``name`` as an identifier, whatever it holds. Raises: ValueError for what PostgreSQL takes for no name at all."""
    if not name or "\0" in name or len(name.encode()) > _LONGEST:
        raise ValueError(f"expected a name of 1 to {_LONGEST} bytes, got {name[:80]!r}")
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """``text`` as a value in a statement that takes no parameters. Raises: ValueError."""
    if "\0" in text:
        raise ValueError("expected text without a NUL")
    return "'" + text.replace("'", "''") + "'"


def table_of(text: str, *, where: str) -> TableName:
    """As ``TableName.of``. Raises: ConfigError."""
    try:
        return TableName.of(text)
    except ValueError as error:
        raise ConfigError("not a table", where=where, got=text, expected=str(error)) from None

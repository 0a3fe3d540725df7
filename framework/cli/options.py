"""Options that several commands have, and ``NAME=VALUE`` options, taken apart. Pure."""

from collections.abc import Iterable
from typing import Annotated, TypeAlias

import typer

from framework.errors import ConfigError
from framework.tenancy.places import CacheKind, StoreKind

StoreOption: TypeAlias = Annotated[
    StoreKind | None,
    typer.Option(
        "--store", help="Outputs go to a store of this kind on this machine; without, where the team files say."
    ),
]

ClusterOption: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--cluster",
        help="Runs are pods of a Kubernetes on this machine, with a store in a bucket; it needs root and `make kubernetes`.",
    ),
]

CacheOption: TypeAlias = Annotated[
    CacheKind,
    typer.Option("--cache", help="With --store or --cluster: an Alluxio for each team, before that store; or none."),
]


def pairs(given: Iterable[str], *, option: str) -> dict[str, str]:
    """``["a=1", "b=x=y"]`` as ``{"a": "1", "b": "x=y"}``. Raises: ConfigError with every mistake."""
    found: dict[str, str] = {}
    wrong = []
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals):
            wrong.append(f"{text}: not NAME=VALUE")
        elif name in found:
            wrong.append(f"{text}: {name} is given twice")
        found[name] = value
    if wrong:
        raise ConfigError(f"{option} cannot be read", details=wrong)
    return found


def lists(given: Iterable[str], *, option: str) -> dict[str, tuple[str, ...]]:
    """Like ``pairs``, for an option whose names may come again. Raises: ConfigError with every mistake."""
    found: dict[str, tuple[str, ...]] = {}
    for text in given:
        for name, value in pairs([text], option=option).items():
            found[name] = (*found.get(name, ()), value)
    return found

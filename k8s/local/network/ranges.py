"""Sets of addresses or ports as sorted ranges that do not touch: equal sets are equal values."""

from bisect import bisect
from collections.abc import Iterable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv4Network, NetmaskValueError
from typing import Final, TypeAlias

Range: TypeAlias = tuple[int, int]
"""The first and the last."""
Ranges: TypeAlias = tuple[Range, ...]

EVERYBODY: Final[Ranges] = ((0, 2**32 - 1),)


def merged(ranges: Iterable[Range]) -> Ranges:
    """All that is in one of them."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(last, found[-1][1]))
        else:
            found.append((first, last))
    return tuple(found)


def without(whole: Range, taken: Ranges) -> Iterator[Range]:
    """What of ``whole`` is left."""
    first, end = whole
    for start, last in taken:
        if start > end:
            break
        if start > first:
            yield first, start - 1
        first = max(first, last + 1)
    if first <= end:
        yield first, end


def holds(ranges: Ranges, number: int) -> bool:
    at = bisect(ranges, (number, 2**32)) - 1
    return at >= 0 and number <= ranges[at][1]


def network(cidr: str) -> Range | None:
    """Of ``10.0.0.0/24``, bits of a host or not; None for what is no IPv4 network."""
    try:
        found = IPv4Network(cidr, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        return None
    return int(found.network_address), int(found.broadcast_address)


def number(address: str) -> int | None:
    """Of an IPv4 address; None for others."""
    try:
        return int(IPv4Address(address))
    except AddressValueError:
        return None


def dotted(one: Range) -> str:
    """As nft reads it."""
    first, last = (str(IPv4Address(end)) for end in one)
    return first if first == last else f"{first}-{last}"

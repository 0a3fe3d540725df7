"""Where two objects differ, field by field, without what a server writes by itself. Pure."""

from collections.abc import Iterator
from typing import Any, Final

from framework.errors import clip
from k8s.render.objects import Obj

_SERVERS: Final = frozenset({"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"})
_VALUE_CHARS: Final = 120
_ABSENT: Final = "(absent)"


def differences(live: Obj, other: Obj) -> tuple[str, ...]:
    """``place: before -> after``, one a line."""
    before, after = dict(_flat(_essence(live))), dict(_flat(_essence(other)))
    places = [*before, *(place for place in after if place not in before)]
    return tuple(
        f"{place}: {_shown(before.get(place, _ABSENT))} -> {_shown(after.get(place, _ABSENT))}"
        for place in places
        if before.get(place, _ABSENT) != after.get(place, _ABSENT)
    )


def _essence(one: Obj) -> Obj:
    metadata = {key: value for key, value in one.get("metadata", {}).items() if key not in _SERVERS}
    return {**{key: value for key, value in one.items() if key != "status"}, "metadata": metadata}


def _flat(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """A list of mappings is compared entry by entry, one of plain values as a whole."""
    if isinstance(value, dict):
        for key, inner in sorted(value.items()):
            yield from _flat(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{place}[{index}]")
    else:
        yield place, value


def _shown(value: Any) -> str:
    return clip(value if isinstance(value, str) else repr(value), _VALUE_CHARS)

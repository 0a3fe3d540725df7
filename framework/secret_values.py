"""Secrets where none may be: parameters are shown by Airflow, told to the run as a file, and kept in its manifest."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from framework.masking import scrub

_NAME: Final = re.compile(
    r"(?i)(?:\w+_)?(?:password|passwd|passphrase|secret|api_?key|access_?key|secret_?key|private_?key|credentials?"
    r"|(?:access|api|auth|bearer|refresh)_?token)"
)
_INSTEAD: Final = "name a connection instead, in a source or a destination: aws_conn_id, postgres_conn_id"


def secrets_in(
    place: str, value: Any, is_known: Callable[[str], bool] = lambda _: False, *, rendered: bool = True
) -> Iterator[str]:
    """One sentence for each text that is called like a secret, looks like one, or ``is_known`` as one; never the text itself.

    Not ``rendered``: what a template is filled in with is looked at then.
    """
    for name, text in _texts(place, value):
        if not text or (not rendered and "{{" in text):
            continue
        if _NAME.fullmatch(name.rpartition(".")[2]):
            yield f"{name}: is called like a secret, and everybody who sees the task would see it; {_INSTEAD}"
        elif scrub(text) != text:
            yield f"{name}: looks like a secret, and everybody who sees the task would see it; {_INSTEAD}"
        elif is_known(text):
            yield f"{name}: holds what Airflow keeps secret, such as a connection's password; {_INSTEAD}"


def _texts(place: str, value: Any) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield place, value
        case Mapping():
            for name, item in value.items():
                yield from _texts(f"{place}.{name}", item)
        case list() | tuple():
            for item in value:
                yield from _texts(place, item)

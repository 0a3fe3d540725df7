"""Annotations of team code as types: strings resolved where they were written, and a sentence when one cannot be.

A class inside a function has names that no module knows; ``defining_names`` takes them along while the class is made,
so that its annotations can be resolved later, at first use.
"""

import ast
import difflib
import inspect
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any, get_type_hints

from pydantic import BaseModel

from framework.errors import DefinitionError


def defining_names(module: str) -> dict[str, Any]:
    """What the function that is defining a class right now calls things; empty at module level.

    Call it from ``__init_subclass__`` only: the nearest frame of ``module`` on the stack is the one with the class
    statement.
    """
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001  there is no public way to the defining frame; pydantic does the same
    while frame is not None and frame.f_globals.get("__name__") != module:
        frame = frame.f_back
    if frame is None or frame.f_locals is frame.f_globals:
        return {}
    return dict(frame.f_locals)


class BuiltSignature:
    """The signature of a model that is built at its first use; hypothesis, help() and editors ask for it before that."""

    def __get__(self, instance: object, owner: type[BaseModel]) -> inspect.Signature:
        owner.model_rebuild(raise_errors=False)
        if isinstance(vars(owner).get("__signature__"), BuiltSignature):
            raise AttributeError("__signature__")  # noqa: TRY004  no signature yet: names are missing
        built: inspect.Signature = owner.__signature__
        return built


def resolve(annotation: Any, *, module: str, names: Mapping[str, Any]) -> Any:
    """``annotation`` with every string in it evaluated; ``names`` are those of the defining function.

    Raises: DefinitionError with one sentence, without a place: the caller knows what was annotated.
    """
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    space = vars(sys.modules[module]) if module in sys.modules else {}
    try:
        return get_type_hints(holder, globalns=space, localns=dict(names), include_extras=True)["it"]
    except NameError as error:
        raise DefinitionError(_unknown_name(error.name or str(error), module, {**space, **names})) from error
    except (SyntaxError, TypeError, AttributeError) as error:
        shown = annotation if isinstance(annotation, str) else repr(annotation)
        raise DefinitionError(f"cannot make sense of the annotation {shown!r}: {error}") from error


def nearest(name: str, known: Iterable[str]) -> str:
    """``"; did you mean ...?"`` for the known name most like ``name``, or nothing."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _unknown_name(name: str, module: str, space: Mapping[str, Any]) -> str:
    if name in _type_checking_imports(module):
        return f"{name} is imported only for type checking; import it normally"
    return f"{name} is not defined in {module}{nearest(name, (n for n in space if not n.startswith('__')))}"


def _type_checking_imports(module: str) -> frozenset[str]:
    """The names that ``module`` imports under ``if TYPE_CHECKING``; none when its source is not to be had."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, TypeError, SyntaxError):
        return frozenset()
    guarded = (node for node in ast.walk(tree) if isinstance(node, ast.If) and _is_type_checking(node.test))
    imports = (
        alias
        for block in guarded
        for statement in block.body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for alias in statement.names
    )
    return frozenset((alias.asname or alias.name).partition(".")[0] for alias in imports)


def _is_type_checking(test: ast.expr) -> bool:
    return ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING"

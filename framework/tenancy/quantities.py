"""Amounts of processor and memory as Kubernetes writes them (Quantity, Kubernetes API reference): texts in, texts out.

A team file says ``cpu: 2``, ``cpu: 500m``, ``memory: 4Gi``. They stay texts, in one form for each amount, so that a file that
is written again is the file that was read; sums and comparisons are made in thousandths of a core and in bytes.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

_CPU: Final = re.compile(r"(\d{1,6})(m?)|(\d{1,4}\.\d{1,3})")
_MEMORY: Final = re.compile(r"([1-9]\d{0,8})(Ki|Mi|Gi|Ti)")
_POWERS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


def millis(cpu: str) -> int:
    """Thousandths of a core. Raises: ValueError."""
    found = _CPU.fullmatch(cpu)
    if found is None:
        raise ValueError("expected cores, such as 2, 0.5 or 500m")
    number, thousandths, fraction = found.groups()
    return int(Decimal(fraction) * 1000) if fraction else int(number) * (1 if thousandths else 1000)


def octets(memory: str) -> int:
    """Bytes. Raises: ValueError."""
    found = _MEMORY.fullmatch(memory)
    if found is None:
        raise ValueError("expected a whole number and Ki, Mi, Gi or Ti, such as 4Gi")
    return int(found[1]) * _POWERS[found[2]]


def cpu_text(thousandths: int) -> str:
    """The one form of an amount: whole cores without a unit."""
    return str(thousandths // 1000) if thousandths % 1000 == 0 else f"{thousandths}m"


def memory_text(count: int) -> str:
    """The one form of an amount of at least a KiB: the largest unit that leaves it whole."""
    unit = next((name for name, power in reversed(_POWERS.items()) if count % power == 0), "Ki")
    return f"{count // _POWERS[unit]}{unit}"


def _cpu(given: Any) -> str:
    amount = millis(str(given)) if isinstance(given, str | int | float) and not isinstance(given, bool) else 0
    if amount == 0:
        raise ValueError("expected cores, such as 2, 0.5 or 500m")
    return cpu_text(amount)


def _memory(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("expected a whole number and Ki, Mi, Gi or Ti, such as 4Gi")  # noqa: TRY004 pydantic takes ValueError
    return memory_text(octets(given))


# As editors are told: a file may say 2 without quotes.
_CPU_SCHEMA: Final = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": r"^\d+(\.\d{1,3}|m)?$"}]
}
_MEMORY_SCHEMA: Final = {"type": "string", "pattern": rf"^{_MEMORY.pattern}$"}

Cpu = Annotated[str, BeforeValidator(_cpu), WithJsonSchema(_CPU_SCHEMA)]
Memory = Annotated[str, BeforeValidator(_memory), WithJsonSchema(_MEMORY_SCHEMA)]

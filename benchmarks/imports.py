"""What does importing the framework cost beside importing pydantic alone?"""

from functools import partial

from benchmarks.pairs import Answer, run_pairs
from benchmarks.processes import python_cpu_s

SMALL_ROUNDS, ROUNDS = 7, 25
PROGRAMS = {
    "import pydantic": "import pydantic; pydantic.BaseModel",
    "import framework": "import framework",
    "from framework import Job, Schema": "from framework import Job, Schema, Frame",
}


def ask(*, small: bool) -> tuple[Answer, ...]:
    """CPU seconds of a fresh process each."""
    variants = {name: partial(python_cpu_s, code) for name, code in PROGRAMS.items()}
    return (
        Answer(
            "CPU of importing the framework, over importing pydantic",
            "import pydantic",
            run_pairs(variants, SMALL_ROUNDS if small else ROUNDS),
            {"import framework": 1.3},
        ),
    )

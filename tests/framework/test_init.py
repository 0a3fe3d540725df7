"""The words that team code imports: all there, each loaded when it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

import framework

HEAVY = ("pydantic", "pyspark", "airflow", "pandas", "pyarrow", "kubernetes", "boto3")


def loaded_after(statement: str) -> set[str]:
    """The top-level packages in memory after ``statement`` in a fresh process."""
    code = f"import sys\n{statement}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    root = Path(framework.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True, timeout=60
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("name", framework.__all__)
def test_each_word_is_there(name: str) -> None:
    word = getattr(framework, name)

    assert getattr(word, "__name__", name) in (name, "Annotated")


def test_there_are_no_other_words() -> None:
    assert dir(framework) == sorted(framework.__all__)


def test_an_unknown_word_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'framework' has no attribute 'Tables'"):
        _ = framework.Tables


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_after("import framework").isdisjoint(HEAVY)


def test_defining_a_job_loads_pydantic_and_nothing_heavier() -> None:
    loaded = loaded_after("from framework import *\nclass Row(Schema): x: int")

    assert loaded & set(HEAVY) == {"pydantic"}

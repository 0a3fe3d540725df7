import pytest

from framework.cli.options import lists, pairs
from framework.errors import ConfigError


def test_the_first_equals_sign_ends_the_name() -> None:
    assert pairs(["a=1", "b=x=y", "c="], option="--param") == {"a": "1", "b": "x=y", "c": ""}


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as stop:
        pairs(["a", "=1", "b=1", "b=2"], option="--param")

    assert len(stop.value.details) == 3
    assert "--param" in str(stop.value)


def test_a_name_may_come_again_where_that_means_a_union() -> None:
    assert lists(["p=a", "q=b", "p=c"], option="--input") == {"p": ("a", "c"), "q": ("b",)}

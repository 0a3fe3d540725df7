"""Messages: bounded, complete, without secrets; and the class that answers 'retry?'."""

from pathlib import Path

import pytest

from framework import errors
from framework.errors import MAX_LINES, ConfigError, FinalError, RetryableError, TeamsparkError, clip, scrub

TREE = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, TeamsparkError)]


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_the_class_says_whether_to_retry_and_the_picture_names_it(kind: type[TeamsparkError]) -> None:
    assert kind.retryable == issubclass(kind, RetryableError)
    assert kind.__name__ in (errors.__doc__ or "")
    assert kind.exit_code in {64, 65, 74, 75}


def test_a_message_has_every_part_and_an_end() -> None:
    error = FinalError(
        "it broke", where="here", got="a", expected="b", next_step="mend it", details=[f"line {n}" for n in range(99)]
    )

    lines = str(error).splitlines()

    assert len(lines) == MAX_LINES
    assert lines[0] == "it broke"
    assert lines[1:4] == ["  where: here", "  got: a", "  expected: b"]
    assert lines[-2].strip().startswith("(and ")
    assert lines[-1] == "  next: mend it"


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2",
        "aws_secret_access_key: hunter2",
        "postgresql://user:hunter2@host/db",
        "Authorization: hunter2",
        "fs.s3a.secret.key=hunter2",
        "token = hunter2",
    ],
)
def test_secrets_are_masked(text: str) -> None:
    assert "hunter2" not in scrub(text)
    assert "hunter2" not in str(FinalError("broken", got=text, details=[text]))


def test_control_characters_cannot_forge_log_lines() -> None:
    assert clip("a\x1b[31m\x00b") == "a\\x1b[31m\\x00b"


def test_a_path_is_told_as_people_write_it() -> None:
    assert "where: jobs/flights\n" in f"{ConfigError('x', where=Path('jobs/flights'))}\n"

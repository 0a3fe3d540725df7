"""The records that cross process borders."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from framework.config import MAX_RESULT_BYTES, ErrorFacts, ExportedConfig, JobConfig, OutputFacts, RunFacts, RunResult
from framework.errors import ConfigError
from framework.identity import Epoch, RunKey

KEY = RunKey("flights", "flights.daily", "delays", "20130101T000000Z", 3)
SEED = {
    "input": {"operators": [{"task_id": "task_1", "as": "flights"}, {"task_id": "task_2", "as": "weather"}]},
    "output": {"default": {}},
}


def test_the_seeds_form_is_read() -> None:
    config = JobConfig.parse(SEED, where="task 'x'")

    assert [(e.task_id, e.port, e.run) for e in config.input.operators] == [
        ("task_1", "flights", "same"),
        ("task_2", "weather", "same"),
    ]


def test_all_mistakes_come_at_once_with_their_place() -> None:
    data = {
        "input": {"operators": [{"task": "a", "wait": "soon", "run": "event"}]},
        "inputs": {},
        "output": {"default": {"destinations": [{"data": {}, "path": "x"}]}},
        "parameters": 3,
    }

    with pytest.raises(ConfigError) as stop:
        JobConfig.parse(data, where="task 'x'")

    told = "\n".join(stop.value.details)
    for place in (
        "operators.0.task_id",
        "operators.0.task: unknown",
        "operators.0.wait",
        "operators.0.run",
        "inputs",
        "destinations.0.type: missing",
    ):
        assert place in told
    assert "parameters: " in told


def test_a_secret_in_a_wrong_place_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as stop:
        JobConfig.parse({"spark": {"conf": {"spark.password": ["hunter2"]}}}, where="task 'x'")

    assert "hunter2" not in str(stop.value)


def test_the_way_down_survives_the_trip() -> None:
    facts = RunFacts(
        run_id="r", run_after=datetime(2013, 1, 2, tzinfo=UTC), logical_date=datetime(2013, 1, 1, tzinfo=UTC)
    )
    config = ExportedConfig(
        key=KEY, epoch=Epoch("abc", 2, 1), job="jobs.flights.delays:Delays", run=facts, workspace="/w"
    )

    assert ExportedConfig.parse_json(config.json_bytes(), where="file") == config


def test_a_configuration_of_before_there_was_code_to_compare_is_read() -> None:
    facts = RunFacts(run_id="r", run_after=datetime(2013, 1, 2, tzinfo=UTC))
    config = ExportedConfig(key=KEY, epoch=Epoch("a", 1, 1), job="jobs.flights.x:Y", run=facts, workspace="/w")
    data = json.loads(config.json_bytes())
    del data["code"]

    assert ExportedConfig.parse_json(json.dumps(data), where="file") == config


@pytest.mark.parametrize("change", [{"version": 2}, {"extra": 1}, {"epoch": None}, {"clear_number": -1}])
def test_a_configuration_that_is_not_ours_is_refused(change: dict[str, Any]) -> None:
    facts = RunFacts(run_id="r", run_after=datetime(2013, 1, 2, tzinfo=UTC))
    config = ExportedConfig(key=KEY, epoch=Epoch("a", 1, 1), job="jobs.flights.x:Y", run=facts, workspace="/w")
    data = json.loads(config.json_bytes()) | change

    with pytest.raises(ConfigError):
        ExportedConfig.parse_json(json.dumps(data), where="file")


@pytest.mark.parametrize("outputs", [1, 60, 400])
def test_the_way_up_always_fits(outputs: int) -> None:
    facts = {f"output_{n}": OutputFacts(rows=10**9, bytes=10**12, files=10**4) for n in range(outputs)}
    error = ErrorFacts(error="JobFailed", retryable=False, message="é" * 3000)
    result = RunResult(verdict="failed", key=KEY, outputs=facts, error=error, warnings=("w" * 500,) * 30)

    data = result.message_bytes()

    assert len(data) <= MAX_RESULT_BYTES
    assert RunResult.parse_json(data, where="result").verdict == "failed"


@pytest.mark.parametrize("filler", ["x", "é", '"'])
def test_what_to_do_next_is_in_a_message_however_long_the_error(filler: str) -> None:
    message = "\n".join(["what"] + [f"  - {filler * 400}"] * 15 + ["  next: change this"])
    error = ErrorFacts(error="JobFailed", retryable=False, message=message)

    told = RunResult(verdict="failed", key=KEY, error=error, warnings=(filler * 500,) * 9).message_bytes()

    assert len(told) <= 4096
    found = RunResult.parse_json(told, where="result").error
    assert found is not None
    assert found.message.splitlines()[-1] == "  next: change this"
    assert found.message.startswith("what")

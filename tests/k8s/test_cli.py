"""``teamspark team render``: a file for ``kubectl``, or a mistake in words."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from typer.testing import CliRunner, Result

from framework.cli.app import app
from framework.tenancy.render import as_yaml
from tests.k8s.teams import team

LOOSE = (
    "team: bakers\nowners: [a@b.c]\nstore: {kind: s3, bucket: data}\ngrants: [{to: cooks, read: [bakers.daily/x]}]\n"
)
PLATFORM = "api: [{network: 10.96.0.1/32, port: 443}]\nissuer: https://oidc.example.org\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "k8s/teams").mkdir(parents=True)
    (tmp_path / "k8s/platform.yaml").write_text(PLATFORM)
    (tmp_path / "k8s/teams/flights.yaml").write_text(as_yaml(team("flights")))
    return tmp_path


def teamspark(workspace: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--workspace", str(workspace), "team", *words], catch_exceptions=False)


def test_a_team_and_what_is_one_for_all(workspace: Path) -> None:
    for words, kind in ((("render", "flights"), "Namespace"), (("render",), "CustomResourceDefinition")):
        done = teamspark(workspace, *words)

        assert done.exit_code == 0, done.stderr
        first, *_ = yaml.safe_load_all(done.stdout)
        assert first["kind"] == kind


GOOD = """
team: flights
owners: [flights@example.org]
store: {kind: efs, root: /mnt/efs, uid: 5001, gid: 5001, mode: "0750"}
quota: {cpu: 16, memory: 64Gi, pods: 40}
limits: {driver: {cpu: 0.5, memory: 4Gi}, executor: {cpu: 500m, memory: 8Gi}, max_executors: 10}
images: ["registry.example.org/flights/*"]
grants: [{to: insights, read: [flights.daily/delays]}]
"""


def test_editors_are_told_what_a_team_file_is(workspace: Path) -> None:
    schema = json.loads(teamspark(workspace, "schema").stdout)
    told = yaml.safe_load(GOOD)

    jsonschema.validate(told, schema)
    for wrong in (
        {**told, "quotas": 1}, {**told, "team": 7}, {**told, "quota": {"cpu": 16}},
        {**told, "quota": {**told["quota"], "memory": "64GB"}}, {**told, "store": {"kind": "s4"}},
    ):  # fmt: skip
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("platform.yaml", None, "there is no platform file"),
        ("platform.yaml", "api: [\n", "not YAML"),
        ("platform.yaml", PLATFORM.replace("10.96.0.1/32", "10.96.0.1/8"), "api.0.network: expected a network"),
        ("platform.yaml", PLATFORM.replace("https:", "http:"), "issuer: expected https://host/path"),
        ("platform.yaml", PLATFORM + "apy: 3\n", "apy: unknown key"),
        ("teams/bakers.yaml", LOOSE, "a grant to 'cooks': no such team"),
        ("teams/flights.yaml", "team: flights\nowners: [a@b.c]\nstore: {kind: s3, bucket: data}\n", "no part of a cluster"),
    ],
)  # fmt: skip
def test_mistakes_are_told(workspace: Path, file: str, text: str | None, told: str) -> None:
    path = workspace / "k8s" / file
    path.unlink() if text is None else path.write_text(text)

    done = teamspark(workspace, "render", "flights")

    assert (done.exit_code, told in done.stderr) == (64, True), done.stderr

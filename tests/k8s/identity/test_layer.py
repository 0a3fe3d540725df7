"""The store's identities from the team files: documents in two dialects, and a file that a server of ours starts with."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from framework.cli.app import app
from framework.tenancy.layers import Phase, Site
from framework.tenancy.load import load_teams
from framework.tenancy.places import EfsStore
from framework.tenancy.render import as_yaml
from k8s.identity.documents import access_point
from k8s.identity.layer import StoreLayer
from k8s.identity.roles import read_roles
from tests.k8s.teams import team
from tests.servers.identities import write_files


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    write_files(tmp_path, "http://127.0.0.1:1", "http://127.0.0.1:2/keys", tmp_path / "roles.json")
    return tmp_path


def teamspark(workspace: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--workspace", str(workspace), "team", *words], catch_exceptions=False)


def roles(workspace: Path) -> dict[str, Any]:
    return read_roles(workspace / "roles.json")


def applied(workspace: Path, *names: str) -> None:
    for name in names:
        done = teamspark(workspace, "apply", name, "--layer", "store")
        assert done.exit_code == 0, done.stderr


def named(workspace: Path) -> list[str]:
    return [one["roleName"] for one in roles(workspace)["roles"]]


def test_a_team_gets_its_role_and_nobody_else_one(workspace: Path) -> None:
    done = teamspark(workspace, "apply", "flights", "--layer", "store")

    assert done.exit_code == 0, done.stderr
    assert "the S3 server reads" in done.stderr
    assert stat.S_IMODE((workspace / "roles.json").stat().st_mode) == 0o600
    assert named(workspace) == ["teamspark-flights"]
    assert teamspark(workspace, "apply", "flights", "--layer", "store").stdout == "'flights' is as its file says\n"


def test_a_grant_that_is_taken_back_is_taken_from_the_other_teams_role(workspace: Path) -> None:
    applied(workspace, "flights", "insights")
    before = roles(workspace)
    flights = load_teams(workspace).team("flights").model_copy(update={"grants": ()})
    (workspace / "k8s/teams/flights.yaml").write_text(as_yaml(flights))

    looked = teamspark(workspace, "diff", "flights", "--layer", "store")
    done = teamspark(workspace, "apply", "flights", "--layer", "store")

    assert looked.exit_code == 1
    assert "teamspark-insights.policy.document.Statement[3].Sid: Read0Objects -> (absent)" in looked.stdout
    assert before["sts"]["signingKey"] not in looked.stdout + looked.stderr + done.stdout
    assert roles(workspace)["sts"] == before["sts"]
    assert "flights-data" not in json.dumps(roles(workspace)["policies"][1])


def test_what_is_not_ours_stays(workspace: Path) -> None:
    """Roles, settings, owner, mode and link: the file is somebody's, too."""
    real = workspace / "elsewhere.json"
    backup = {"roleName": "backup", "roleArn": "arn:aws:iam::role/backup", "attachedPolicies": ["backup"]}
    told = {
        "roles": [backup],
        "policies": [{"name": "backup", "document": {}}],
        "sts": {"signingKey": "abc"},
        "extra": 1,
    }
    real.write_text(json.dumps(told))
    real.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(real, 51003, 51003)
    (workspace / "roles.json").symlink_to(real)

    applied(workspace, "flights")
    done = teamspark(workspace, "offboard", "flights", "--layer", "store", "--apply")

    assert done.exit_code == 0, done.stderr
    assert (workspace / "roles.json").is_symlink()
    after = roles(workspace)
    assert (after["roles"], after["policies"], after["sts"], after["extra"]) == (
        told["roles"], told["policies"], told["sts"], told["extra"],
    )  # fmt: skip
    found = real.stat()
    assert stat.S_IMODE(found.st_mode) == 0o640
    assert found.st_uid == (51003 if os.geteuid() == 0 else os.geteuid())


def test_a_place_that_cannot_be_written_is_told_before_anything_is_done(workspace: Path) -> None:
    file = workspace / "k8s/platform.yaml"
    file.write_text(file.read_text().replace("/roles.json", "/nowhere/roles.json"))

    done = teamspark(workspace, "plan", "flights", "--layer", "store")

    assert (done.exit_code, "no such folder" in done.stderr, "make the folder" in done.stderr) == (65, True, True)


def test_a_grant_is_one_more_place(workspace: Path) -> None:
    applied(workspace, "flights", "insights")
    insights = next(one for one in roles(workspace)["policies"] if one["name"] == "teamspark-insights")
    granted = insights["document"]["Statement"][-3:]

    assert granted[0]["Action"] == ["s3:GetObject"]
    assert granted[0]["Resource"] == ["arn:aws:s3:::flights-data/flights/flights.daily/ingest/*"]
    assert granted[2]["Resource"] == ["arn:aws:s3:::flights-data/flights/flights.daily/ingest"]
    assert granted[1]["Condition"] == {"StringLike": {"s3:prefix": ["flights/flights.daily/ingest/*"]}}


def test_whoever_leaves_takes_the_role_along_and_nobody_gets_one(workspace: Path) -> None:
    applied(workspace, "flights", "insights")

    done = teamspark(workspace, "offboard", "insights", "--layer", "store", "--apply")

    assert done.exit_code == 0, done.stderr
    assert named(workspace) == ["teamspark-flights"]
    (step,) = StoreLayer(Site(workspace, load_teams(workspace), {})).farewell("flights").steps
    assert step.phase is Phase.revoke
    nobody = teamspark(workspace, "offboard", "nosuch", "--layer", "store", "--apply")
    assert "nothing of 'nosuch' is here" in nobody.stdout
    applied(workspace, "flights")
    assert named(workspace) == ["teamspark-flights"]  # insights has its file still, and stays away


def test_aws_documents_of_a_team(workspace: Path) -> None:
    told = json.loads(teamspark(workspace, "render", "insights", "--layer", "store").stdout)

    assert list(told) == ["trust", "policy", "bucket_policy", "lifecycle"]
    (trust,) = told["trust"]["Statement"]
    issuer = "kubernetes.default.svc.cluster.local"
    assert trust["Condition"]["StringEquals"] == {
        f"{issuer}:sub": ["system:serviceaccount:insights:driver", "system:serviceaccount:insights:executor"],
        f"{issuer}:aud": ["sts.amazonaws.com"],
    }
    seaweed = teamspark(workspace, "render", "--layer", "store").stdout
    assert "signingKey" not in seaweed
    assert set(json.loads(seaweed)) == {"providers", "policy", "policies", "roles"}


def test_a_store_without_identities_is_told(workspace: Path) -> None:
    file = workspace / "k8s/platform.yaml"
    told = {key: value for key, value in yaml.safe_load(file.read_text()).items() if key != "store_identity"}
    file.write_text(yaml.safe_dump(told))

    assert "a store without identities is no wall" in teamspark(workspace, "plan", "flights", "--layer", "store").stderr
    (workspace / "k8s/teams/flights.yaml").write_text(as_yaml(team("flights")))
    assert "AWS' role and policies are documents" in teamspark(workspace, "plan", "flights", "--layer", "store").stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[]", "not the roles of a store"),
        ('{"roles": 5, "policies": [1]}', "not the roles of a store"),
    ],
)
def test_a_broken_file_is_told(workspace: Path, text: str, told: str) -> None:
    (workspace / "roles.json").write_text(text)

    done = teamspark(workspace, "plan", "flights", "--layer", "store")

    assert (done.exit_code, told in done.stderr) == (64, True), done.stderr


def test_a_place_that_no_policy_can_name_is_told(workspace: Path) -> None:
    bad = team("flights", reads=["s3://partner-drop/a?b/*"])
    (workspace / "k8s/teams/flights.yaml").write_text(as_yaml(bad))

    done = teamspark(workspace, "plan", "flights", "--layer", "store")

    assert done.exit_code == 64
    assert "no policy can name exactly" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("put", "s3://flights-data/flights/x"), "allowed"),
        (("get", "s3://insights-data/insights/x"), "denied"),
        (("list", "s3://flights-data/flights"), "denied"),
        (("get", "s3://partner-drop/flights/x"), "allowed"),
        (("put", "s3://partner-drop/flights/x"), "denied"),
        (("put", "s3://partner-drop/reports/x"), "allowed"),
    ],
)
def test_who_may_touch_what_is_explained(workspace: Path, words: tuple[str, str], told: str) -> None:
    rows = json.loads(teamspark(workspace, "explain", "flights", *words, "--json").stdout)

    (store,) = [row for row in rows if row["layer"] == "store"]
    assert store["allowed"] is (told == "allowed"), store


def test_an_access_point_is_pinned_to_a_user_and_a_folder() -> None:
    store = EfsStore(kind="efs", root="/mnt/efs", uid=5001, gid=5001, mode="0750")

    assert access_point("flights", store) == {
        "PosixUser": {"Uid": 5001, "Gid": 5001},
        "RootDirectory": {
            "Path": "/flights",
            "CreationInfo": {"OwnerUid": 5001, "OwnerGid": 5001, "Permissions": "0750"},
        },
    }


LOOK = "import os, sys; os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1])); {deed}"
DEEDS = {
    "lists": "print(os.listdir(sys.argv[2]))",
    "reads": "print(open(sys.argv[2] + '/x').read())",
    "writes": "open(sys.argv[2] + '/y', 'w').write('1')",
    "removes": "os.unlink(sys.argv[2] + '/x')",
    "renames": "os.rename(sys.argv[2] + '/x', sys.argv[2] + '/z')",
    "links": "os.link(sys.argv[2] + '/x', sys.argv[2] + '/l')",
    "takes over": "os.chown(sys.argv[2], os.getuid(), -1)",
    "opens up": "os.chmod(sys.argv[2], 0o777)",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="other users' processes are started by root only")
@pytest.mark.parametrize("deed", DEEDS)
def test_on_a_file_system_users_are_the_wall(tmp_path: Path, deed: str) -> None:
    """Real users of this machine; the witness is the team's own user."""
    root = tmp_path / "efs"
    root.mkdir(mode=0o755)
    for parent in (tmp_path, *tmp_path.parents):
        if parent != Path("/") and not parent.stat().st_mode & 0o001:
            parent.chmod(parent.stat().st_mode | 0o011)
    (tmp_path / "k8s/teams").mkdir(parents=True)
    users = {"flights": 51001, "insights": 51002}
    for name, uid in users.items():
        store = {"kind": "efs", "root": str(root), "uid": uid, "gid": uid, "mode": "0750"}
        (tmp_path / f"k8s/teams/{name}.yaml").write_text(as_yaml(team(name, store=store)))
        done = teamspark(tmp_path, "apply", name, "--layer", "store")
        assert done.exit_code == 0, done.stderr
        assert teamspark(tmp_path, "apply", name, "--layer", "store").stdout == f"'{name}' is as its file says\n"
    file = root / "flights/x"
    file.write_text("told")
    os.chown(file, users["flights"], users["flights"])

    other, own = (tried(uid, root / "flights", DEEDS[deed]) for uid in (users["insights"], users["flights"]))

    assert (other.returncode, "PermissionError" in other.stderr) == (1, True), other
    assert own.returncode == 0, own.stderr


def tried(uid: int, folder: Path, deed: str) -> subprocess.CompletedProcess[str]:
    code = LOOK.format(deed=deed)
    base = getattr(sys, "_base_executable", sys.executable)
    return subprocess.run([base, "-S", "-c", code, str(uid), str(folder)], capture_output=True, text=True, cwd="/")

"""``teamspark team`` on a real API server: a team is one file and one command; cut off anywhere, it is finished by the same."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from framework.errors import PolicyError
from framework.tenancy.layers import Site, Verb, in_order
from framework.tenancy.load import load_teams
from k8s.client import Cluster
from k8s.client import Place as Address
from k8s.render.objects import RBAC
from k8s.tenant.layer import KubernetesLayer
from tests.k8s.pods import pod
from tests.k8s.tenant.place import Place
from tests.servers.kubernetes import Kubernetes

pytestmark = pytest.mark.timeout(240)

API = f"{RBAC}/v1"


@pytest.fixture
def place(kubernetes: Kubernetes, tmp_path: Path) -> Place:
    return Place.made(tmp_path, kubernetes.plane.kubeconfig, "flights", "insights")


@pytest.fixture
def third(place: Place, request: pytest.FixtureRequest, kubernetes: Kubernetes) -> Iterator[str]:
    """The name of a team that is in no cluster yet, with its file; gone with the test."""
    name = f"team{abs(hash(request.node.name)) % 10_000}x"
    place.write(name)
    yield name
    place.run("offboard", name, "--apply")


def layer(place: Place) -> KubernetesLayer:
    teams = load_teams(place.workspace)
    return KubernetesLayer(Site(place.workspace, teams, {}, {"kubeconfig": str(place.kubeconfig)}))


def test_a_third_team_is_one_file_and_one_command(place: Place, third: str, kubernetes: Kubernetes) -> None:
    before = place.run("plan", third)
    assert (before.exit_code, f"create Namespace {third}" in before.stdout) == (0, True), before.stderr
    assert "nothing was changed" in before.stdout
    assert kubernetes.admin.get(Address("v1", "Namespace", "", third)) is None

    done = place.run("apply", third)

    assert done.exit_code == 0, done.stderr
    assert f"create RoleBinding {third}/driver" in done.stdout
    launcher = kubernetes.as_account(f"{third}-airflow", "launcher")
    launcher.create(pod(third), dry_run=True)
    with pytest.raises(PolicyError):
        launcher.create(pod("flights"), dry_run=True)
    with pytest.raises(PolicyError):
        launcher.create(pod(third, image="elsewhere.example.org/x/y:1"), dry_run=True)
    again = place.run("apply", third)
    assert (again.exit_code, again.stdout) == (0, f"'{third}' is as its file says\n")
    assert place.run("diff", third).exit_code == 0


def test_a_team_goes_and_leaves_nothing_and_the_others_alone(place: Place, third: str, kubernetes: Kubernetes) -> None:
    admin = kubernetes.admin
    place.run("apply", third)
    admin.create({**pod(third), "metadata": {**pod(third)["metadata"], "name": "waits"}})
    others = place.run("diff", "flights").exit_code

    looked = place.run("offboard", third)
    assert "nothing was changed; do it with --apply" in looked.stderr
    assert admin.get(Address("v1", "Namespace", "", third)) is not None
    place.file(third).unlink()  # the file may be gone already
    done = place.run("offboard", third, "--apply")

    assert done.exit_code == 0, done.stderr
    verbs = [line.split()[1:4] for line in done.stdout.splitlines()]
    assert verbs[0][:2] == ["delete", "RoleBinding"]
    for name in (third, f"{third}-airflow"):
        assert admin.get(Address("v1", "Namespace", "", name)) is None
    assert place.run("diff", "flights").exit_code == others == 0
    assert f"nothing of '{third}' is here" in place.run("offboard", third, "--apply").stdout


def test_a_changed_file_changes_what_it_says_and_a_hand_in_the_cluster_is_seen(
    place: Place, third: str, kubernetes: Kubernetes
) -> None:
    admin = kubernetes.admin
    place.run("apply", third)
    place.write(third, quota={"cpu": 16, "memory": "64Gi", "pods": 12})
    assert "spec.hard.pods: 40 -> 12" in place.run("diff", third).stdout
    assert place.run("apply", third).exit_code == 0

    by_hand = {
        "apiVersion": API, "kind": "RoleBinding", "metadata": {"name": "debug", "namespace": third},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "admin"},
        "subjects": [{"kind": "User", "name": "eve", "apiGroup": RBAC}],
    }  # fmt: skip
    admin.create(by_hand)
    labels = {"app.kubernetes.io/managed-by": "teamspark", "teamspark.io/team": third}
    admin.create({**by_hand, "metadata": {"name": "old", "namespace": third, "labels": labels}})
    space = admin.get(Address("v1", "Namespace", "", third))
    assert space is not None
    level = "pod-security.kubernetes.io/enforce"
    admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": third, "labels": {
        **space["metadata"]["labels"], level: "privileged"}}})  # fmt: skip

    found = place.run("diff", third)

    assert found.exit_code == 1
    assert f"metadata.labels.{level}: privileged -> restricted" in found.stdout
    assert f"delete RoleBinding {third}/old" in found.stdout
    assert f"RoleBinding {third}/debug: not from the team file" in found.stderr
    done = place.run("apply", third)
    assert done.stdout.splitlines()[0].endswith(f"delete RoleBinding {third}/old")
    left = place.run("diff", third)
    assert (left.exit_code, left.stdout) == (1, "")  # for somebody's hand
    assert admin.get(Address(API, "RoleBinding", third, "debug")) is not None  # somebody's hand is told, not undone


def test_a_binding_to_another_role_is_made_anew(place: Place, third: str, kubernetes: Kubernetes) -> None:
    place.run("apply", third)
    address = Address(API, "RoleBinding", third, "driver")
    found = kubernetes.admin.get(address)
    assert found is not None
    kubernetes.admin.delete(address)
    metadata = {key: found["metadata"][key] for key in ("name", "namespace", "labels")}
    everything = {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"}
    kubernetes.admin.create({**found, "metadata": metadata, "roleRef": everything})

    done = place.run("apply", third)

    assert done.exit_code == 0, done.stderr
    mended = kubernetes.admin.get(address)
    assert mended is not None
    assert mended["roleRef"]["name"] == "driver"


@pytest.mark.parametrize(
    ("labels", "whose"), [({}, "without our labels"), ({"teamspark.io/team": "others"}, "of team 'others'")]
)
def test_a_namespace_of_somebody_else_is_left_alone(
    place: Place, kubernetes: Kubernetes, labels: dict[str, str], whose: str
) -> None:
    name = f"theirs{len(labels)}"
    place.write(name)
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"{name}-airflow", "labels": labels}}
    kubernetes.admin.create(made)
    for command in (("plan", name), ("apply", name), ("offboard", name, "--apply")):
        done = place.run(*command)

        assert done.exit_code == 64, done.stdout
        assert f"Namespace {name}-airflow: {whose}" in done.stderr
        assert "nothing was changed" in done.stderr
    assert kubernetes.admin.get(Address("v1", "Namespace", "", name)) is None
    kubernetes.admin.delete(Address("v1", "Namespace", "", f"{name}-airflow"))


def rights(cluster: Cluster, team: str) -> bool:
    return any(
        cluster.list(API, "RoleBinding", namespace=space, labels="app.kubernetes.io/managed-by=teamspark")
        for space in (team, f"{team}-airflow")
    )


def limited(cluster: Cluster, team: str) -> bool:
    """All that has to stand before somebody has rights."""
    return all(
        cluster.get(Address(api, kind, team, name)) is not None
        for api, kind, name in (
            ("teamspark.io/v1", "TeamLimits", "team"),
            ("v1", "ResourceQuota", "team"),
            ("v1", "LimitRange", "team"),
            ("networking.k8s.io/v1", "NetworkPolicy", "nobody"),
        )
    )


def test_cut_off_before_any_step_it_is_finished_by_the_same_command(
    place: Place, third: str, kubernetes: Kubernetes
) -> None:
    """At every cut: nobody has rights without limits."""
    admin, cuts = kubernetes.admin, 0
    mine = load_teams(place.workspace).team(third)
    while steps := in_order([layer(place).prospect(mine)]):
        assert limited(admin, third) or not rights(admin, third)
        for step in steps[: 2 if steps[0].verb is Verb.wait else 1]:
            step.do()  # one that changes something, and no more: the next round looks anew
        cuts += 1
        assert cuts < 60, [str(step) for step in steps]

    assert cuts > 20
    assert limited(admin, third)
    assert rights(admin, third)
    while steps := in_order([layer(place).farewell(third)]):
        steps[0].do()
        assert limited(admin, third) or not rights(admin, third)


@pytest.mark.parametrize("lines", [1, 9, 20])
def test_killed_it_is_finished_by_the_same_command(place: Place, third: str, lines: int) -> None:
    process = place.started("apply", third)
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    process.kill()
    process.communicate()

    assert place.run("apply", third).exit_code == 0
    assert place.run("diff", third).exit_code == 0


def test_a_cluster_that_goes_in_the_middle(place: Place, third: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told: what was done, what was not, and the command that finishes it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        dead = yaml.safe_load(place.kubeconfig.read_text())
        dead["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{nobody.getsockname()[1]}"
        file = place.workspace / "dead.kubeconfig"
        file.write_text(yaml.safe_dump(dead))
        mine, real = load_teams(place.workspace).team(third), layer(place)
        steps = list(in_order([real.prospect(mine)]))
        done = steps[:5]
        for one in done:
            one.do()
        unreachable = Place(place.workspace, file).run("apply", third)

    assert unreachable.exit_code == 74
    assert "the cluster does not answer" in unreachable.stderr
    assert place.run("apply", third).exit_code == 0


def test_half_done_is_told(place: Place, third: str, kubernetes: Kubernetes) -> None:
    """An account that may make namespaces and nothing in them gets as far as it may."""
    admin = kubernetes.admin
    half = {"apiVersion": API, "kind": "ClusterRole", "metadata": {"name": "half"}, "rules": [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "patch"]},
        {"apiGroups": ["apiextensions.k8s.io", "admissionregistration.k8s.io"], "resources": ["*"], "verbs": ["patch"]},
    ]}  # fmt: skip
    admin.apply(half)
    admin.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "half", "namespace": "default"}})
    admin.apply({
        "apiVersion": API, "kind": "ClusterRoleBinding", "metadata": {"name": "half"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "half"},
        "subjects": [{"kind": "ServiceAccount", "name": "half", "namespace": "default"}],
    })  # fmt: skip
    file = place.workspace / "half.kubeconfig"
    file.write_text(yaml.safe_dump(kubernetes.plane.token_config(kubernetes.token("default", "half"))))

    done = Place(place.workspace, file).run("apply", third)

    assert done.exit_code == 65, done.stderr
    assert f"done (2): create Namespace {third}, create Namespace {third}-airflow" in done.stderr
    assert "not done (" in done.stderr
    assert f"teamspark team apply {third} --layer kubernetes goes on where this ended" in done.stderr
    assert place.run("apply", third).exit_code == 0


def test_who_is_where(place: Place, kubernetes: Kubernetes) -> None:
    place.write("absent")

    rows = yaml.safe_load(place.run("list", "--json").stdout)

    assert {row["team"]: row["kubernetes"] for row in rows if row["file"]} == {
        "absent": None, "flights": "here", "insights": "here",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "flights/pods"), "allowed  Role flights/launcher permits it to launcher and driver"),
        (("get", "flights/secrets"), "denied   no role in namespace flights permits get secrets"),
        (("list", "insights/pods"), "denied   no account of 'flights' has a role in namespace insights"),
    ],
)
def test_who_may_what_is_explained(place: Place, words: tuple[str, str], told: str) -> None:
    done = place.run("explain", "flights", *words)

    assert done.exit_code == 0, done.stderr
    assert told in done.stdout


def test_a_pod_is_explained(place: Place) -> None:
    file = place.workspace / "pod.yaml"
    file.write_text(yaml.safe_dump(pod("flights", image="elsewhere.example.org/x/y:1", serviceAccountName="default")))

    told = place.run("explain", "flights", "create", str(file)).stdout

    assert "denied" in told
    assert "pods run as one of the team's own service accounts" in told
    assert "image is below none of the team's images" in told


def test_no_kubeconfig_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(place.workspace))
    monkeypatch.delenv("KUBECONFIG", raising=False)

    done = Place(place.workspace, place.workspace / "none").run("plan", "flights")

    assert done.exit_code == 64
    assert "there is no kubeconfig" in done.stderr


def test_a_team_without_a_part_of_a_cluster(place: Place) -> None:
    text = "team: plain\nowners: [a@b.c]\nstore: {kind: directory, root: x}\n"
    place.file("plain").write_text(text)

    done = place.run("apply", "plain")

    assert done.exit_code == 0
    assert "no part of a cluster" in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [("", "got: nothing"), ("just a string", "got: a str"), ("[1]", "got: a list"), ("a: [", "not a kubeconfig")],
)
def test_what_is_no_kubeconfig(place: Place, text: str, told: str) -> None:
    file = place.workspace / "config"
    file.write_text(text)

    done = Place(place.workspace, file).run("plan", "flights")

    assert (done.exit_code, told in done.stderr) == (64, True), done.stderr


def test_another_authority_is_no_outage(place: Place) -> None:
    from base64 import b64encode

    from k8s.local.certificates import Authority

    config = yaml.safe_load(place.kubeconfig.read_text())
    other = b64encode(Authority().certificate).decode()
    config["clusters"][0]["cluster"]["certificate-authority-data"] = other
    file = place.workspace / "config"
    file.write_text(yaml.safe_dump(config))

    done = Place(place.workspace, file).run("plan", "flights")

    assert (done.exit_code, "not one that this kubeconfig trusts" in done.stderr) == (65, True), done.stderr


def test_a_namespace_that_is_going_is_waited_for_by_who_runs_it(
    place: Place, third: str, kubernetes: Kubernetes
) -> None:
    place.run("apply", third)
    pinned = Address("v1", "Namespace", "", f"{third}-airflow")
    held = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {
        "name": "held", "namespace": pinned.name, "finalizers": ["example.org/held"]}}  # fmt: skip
    kubernetes.admin.create(held)
    kubernetes.admin.delete(pinned)

    done = place.run("apply", third)
    rows = yaml.safe_load(place.run("list", "--json").stdout)

    assert (done.exit_code, "is being taken away" in done.stderr) == (74, True), done.stderr
    assert {row["team"]: row["kubernetes"] for row in rows}[third] == "going"
    _free(kubernetes, pinned.name)


def _free(kubernetes: Kubernetes, space: str) -> None:
    from kubernetes.client import CoreV1Api
    from kubernetes.config import new_client_from_config

    core = CoreV1Api(new_client_from_config(str(kubernetes.plane.kubeconfig)))
    core.patch_namespaced_config_map("held", space, {"metadata": {"finalizers": None}})


def test_a_label_that_somebody_changed_can_be_put_back(place: Place, third: str, kubernetes: Kubernetes) -> None:
    place.run("apply", third)
    address = Address("v1", "Namespace", "", third)
    found = kubernetes.admin.get(address)
    assert found is not None
    labels = {**found["metadata"]["labels"], "teamspark.io/team": "others"}
    kubernetes.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": third, "labels": labels}})

    done = place.run("apply", third)

    assert done.exit_code == 64
    assert (
        f"kubectl label --overwrite ns {third} app.kubernetes.io/managed-by=teamspark teamspark.io/team={third}"
        in done.stderr
    )
    labels["teamspark.io/team"] = third
    kubernetes.admin.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": third, "labels": labels}})
    assert place.run("apply", third).exit_code == 0


def test_without_its_rights_a_team_is_half_there(place: Place, third: str, kubernetes: Kubernetes) -> None:
    place.run("apply", third)
    kubernetes.admin.delete(Address(API, "RoleBinding", third, "driver"))

    rows = yaml.safe_load(place.run("list", "--json").stdout)

    assert {row["team"]: row["kubernetes"] for row in rows}[third] == "half"
    steps = place.run("plan", third).stdout.splitlines()
    assert [line.split()[1] for line in steps[:2]] == ["confine", "permit"]  # the policies are seen to hold again


def test_a_broken_file_of_another_team_does_not_keep_one_here(place: Place, third: str) -> None:
    place.run("apply", third)
    place.file("insights").write_text("x")

    done = place.run("offboard", third, "--apply")

    assert done.exit_code == 0, done.stderr
    assert "is taken away all the same" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("foo", "bar"), "no layer knows what is asked"),
        (("get", ""), "no layer knows what is asked"),
        (("jump", "s3://flights-data/flights/x"), "of a key a store is asked get, put, delete, list"),
        (("", "flights/pods"), "of a kind a cluster is asked get, list"),
        (("get", "connection:"), "connection:NAME, variable:NAME, pool:NAME or dag:ID"),
    ],
)
def test_nonsense_is_told(place: Place, words: tuple[str, str], told: str) -> None:
    done = place.run("explain", "flights", *words)

    assert (done.exit_code, told in done.stderr) == (64, True), done.stderr


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("kind: Pod\nspec: {containers: 5}\n", 64, "not a pod that a cluster takes"),
        ("kind: Pod\nspec: {containers: [{name: x}]}\n", 64, "not a pod that a cluster takes"),
        ("kind: Pod\nmetadata: {labels: 5}\nspec: {containers: [{image: x}]}\n", 64, "not a pod that a cluster takes"),
        ("kind: Service\n", 64, "no pod in this file"),
        (
            "kind: Pod\nmetadata: {namespace: insights}\nspec: {containers: [{image: x}]}\n",
            0,
            "has a role in namespace insights",
        ),
    ],
)
def test_odd_pods_are_told(place: Place, text: str, code: int, told: str) -> None:
    file = place.workspace / "pod.yaml"
    file.write_text(text)

    done = place.run("explain", "flights", "create", str(file))

    assert (done.exit_code, told in done.stdout + done.stderr) == (code, True), done.stderr

"""Team files: every mistake at once with file and line, and the questions asked of them."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from framework.errors import ConfigError, PolicyError, SetupError
from framework.identity import TaskKey
from framework.storage.base import Access
from framework.storage.memory import MemoryStore
from framework.tenancy.load import find_workspace, load_teams
from framework.tenancy.places import EfsStore
from framework.tenancy.render import as_yaml, with_store
from framework.world import World

GOOD = """\
team: flights
owners: [a@example.org]
store: {kind: directory, root: data}
reads: ["landing/*", /abs/one.csv]
grants:
  - {to: insights, read: [flights.daily/ingest]}
"""
INSIGHTS = "team: insights\nowners: [b@example.org]\nstore: {kind: directory, root: data}\n"
INGEST = TaskKey("flights", "flights.daily", "ingest")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """With a team that others may grant to."""
    (tmp_path / "k8s/teams").mkdir(parents=True)
    put(tmp_path, "insights", INSIGHTS)
    return tmp_path


def put(workspace: Path, name: str, text: str) -> None:
    (workspace / "k8s/teams" / f"{name}.yaml").write_text(text)


def test_all_mistakes_of_all_files_come_at_once_with_their_lines(workspace: Path) -> None:
    put(workspace, "first", "team: First\nowners: []\nstore:\n  kind: directory\n  rot: x\n")
    put(workspace, "second", "team: [\n")
    put(workspace, "third", "team: other\nowners: [c@example.org]\nstore: {kind: directory, root: x}\n")

    with pytest.raises(ConfigError) as stop:
        load_teams(workspace)

    told = "\n".join(stop.value.details)
    for expected in (
        "first.yaml:1: team: not a team name",
        "first.yaml:2: owners",
        "first.yaml:3: store.root: missing",
        "first.yaml:5: store.rot: unknown key",
        "second.yaml:2: not YAML",
        "third.yaml:1: team 'other' must be in other.yaml",
    ):
        assert expected in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["flights.yaml:1: (whole): expected keys with values (got nothing)"]),
        (
            "team: flights\nowners: [nomail]\nstore: {kind: directory, root: data}\npassword: hunter2\n",
            [
                "flights.yaml:2: owners.0: expected text that matches ^[^@\\s]+@[^@\\s]+$ (got 'nomail')",
                "flights.yaml:4: password: unknown key",
            ],
        ),
        (
            "team: flights\nowners: a@b.c\nstore: {kind: directory}\n",
            ["flights.yaml:2: owners: expected a list (got 'a@b.c')", "flights.yaml:3: store.root: missing"],
        ),
        (
            "team: flights\nowners: []\nstore: {kind: directory, root: 3}\n",
            [
                "flights.yaml:2: owners: expected at least 1 item(s) (got [])",
                "flights.yaml:3: store.root: expected text (got 3)",
            ],
        ),
    ],
)
def test_mistakes_are_told_in_plain_words_and_once(workspace: Path, text: str, told: list[str]) -> None:
    put(workspace, "flights", text)

    with pytest.raises(ConfigError) as stop:
        load_teams(workspace)

    assert list(stop.value.details) == told
    assert all(line in str(stop.value) for line in told)


def test_a_key_given_twice_is_told(workspace: Path) -> None:
    put(workspace, "flights", GOOD + "owners: [z@example.org]\n")

    with pytest.raises(ConfigError, match=r"flights\.yaml:7: owners: key given twice"):
        load_teams(workspace)


@pytest.mark.parametrize(
    "name", ["ab", "a" * 31, "Flights", "fl-ights", "fl_ights", "1abc", "shared", "default", "flights\n", "flightѕ"]
)
def test_names_that_could_be_confused_are_refused(workspace: Path, name: str) -> None:
    put(workspace, "flights", GOOD.replace("team: flights", f"team: {name!r}"))

    with pytest.raises(ConfigError):
        load_teams(workspace)


@pytest.mark.parametrize("grant", ["flights.daily", "insights.daily/x", "flights.*/x", "/x", "flights2.daily/x"])
def test_a_grant_names_one_task_of_ones_own(workspace: Path, grant: str) -> None:
    put(workspace, "flights", GOOD.replace("flights.daily/ingest", grant))

    with pytest.raises(ConfigError):
        load_teams(workspace)


def test_a_grant_opens_one_task_for_one_team(workspace: Path) -> None:
    put(workspace, "flights", GOOD)
    put(workspace, "insights", INSIGHTS)
    teams = load_teams(workspace)

    teams.require_grant("insights", INGEST)
    teams.require_grant("flights", INGEST)
    for consumer, task in (
        ("insights", TaskKey("flights", "flights.daily", "delays")),
        ("insights", TaskKey("flights", "flights.daily2", "ingest")),
        ("others", INGEST),
    ):
        with pytest.raises(PolicyError, match="grants: "):
            teams.require_grant(consumer, task)


def test_reads_cover_what_is_below_and_nothing_beside(workspace: Path) -> None:
    put(workspace, "flights", GOOD)
    (workspace / "landing").mkdir()
    teams = load_teams(workspace)

    teams.require_read("flights", str((workspace / "landing/deep/file.csv").resolve()))
    teams.require_read("flights", "/abs/one.csv")
    for place in (workspace / "landing", workspace / "landing2/x", workspace / "landing/../secret", Path("/abs")):
        with pytest.raises(PolicyError):
            teams.require_read("flights", str(place.resolve()))


@pytest.mark.parametrize("pattern", ["*", "/*", "a*/b", "land*"])
def test_only_whole_directories_can_be_opened(workspace: Path, pattern: str) -> None:
    put(workspace, "flights", GOOD.replace("landing/*", pattern))

    with pytest.raises(ConfigError, match="reads"):
        load_teams(workspace)


def test_the_workspace_is_found_from_below_or_missed_in_words(
    workspace: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    below = workspace / "jobs/flights"
    below.mkdir(parents=True)

    assert find_workspace(below) == workspace.resolve()
    with pytest.raises(ConfigError, match="--workspace"):
        find_workspace(tmp_path_factory.mktemp("nowhere"))


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("{kind: tape, root: x}", "store: 'kind' is not one of 'directory', 'efs', 's3'"),
        ("{root: x}", "store: 'kind' is missing"),
        ("{kind: s3}", "flights.yaml:3: store.bucket: missing"),
        ("{kind: s3, bucket: s3://flights}", "store.bucket: expected a bucket's name"),
        ("{kind: s3, bucket: Flights_Data}", "store.bucket: expected a bucket's name"),
        ("{kind: s3, bucket: flights.data}", "store.bucket: expected a bucket's name"),
        ("{kind: s3, bucket: flights, prefix: /a}", "store.prefix: expected segments"),
        ("{kind: s3, bucket: flights, prefix: a/../b}", "store.prefix: expected segments"),
        ("{kind: s3, bucket: flights, prefix: 'a!b'}", "store.prefix: expected segments"),
        ("{kind: s3, bucket: flights, endpoint: 'host:80'}", "store.endpoint: expected http(s)://host"),
        ("{kind: s3, bucket: flights, endpoint: 'http://host/path'}", "store.endpoint: expected http(s)://host"),
        ("{kind: s3, bucket: flights, endpoint: 'http://me:pw@host'}", "without user, path or query"),
        ("{kind: s3, bucket: flights, region: 'eu west'}", "store.region: expected a region's name"),
        ("{kind: s3, bucket: flights, access_key: AKIA}", "store.access_key: unknown key"),
        ("{kind: efs, root: data}", "store.root: expected an absolute path"),
        ("{kind: efs, root: /mnt, mode: 0750}", "store.mode: expected the mode of its folders in quotes, as"),
        ("{kind: efs, root: /mnt, mode: '750'}", "store.mode: expected the mode of its folders in quotes, as '0750'"),
        ("{kind: efs, root: /mnt, mode: '0550'}", "store.mode: expected the mode"),
        ("{kind: efs, root: /mnt, mode: '2750'}", "store.mode: expected the mode"),
        ("{kind: efs, root: /mnt, uid: -1}", "store.uid"),
        ("{kind: efs, root: /mnt, gid: staff}", "store.gid: expected a whole number (got 'staff')"),
        ("{kind: directory, root: data, uid: 5}", "store.uid: unknown key"),
    ],
)
def test_a_store_that_cannot_be_is_told_in_words(workspace: Path, store: str, told: str) -> None:
    put(workspace, "flights", GOOD.replace("{kind: directory, root: data}", store))

    with pytest.raises(ConfigError) as stop:
        load_teams(workspace)

    assert told in "\n".join(stop.value.details)


def test_a_store_in_a_bucket_is_opened_without_asking_it(workspace: Path) -> None:
    place = "{kind: s3, bucket: flights-data, prefix: a/b, endpoint: 'http://127.0.0.1:1', region: eu-west-1}"
    put(workspace, "flights", GOOD.replace("{kind: directory, root: data}", place))

    world = World.of(workspace)

    store = world.store("flights")
    assert (store.kind, store.root) == ("s3", "s3://flights-data/a/b")
    assert store.uri("/flights/!4f/x") == "s3a://flights-data/a/b/flights/!4f/x"
    assert world.accesses(["flights", "flights"]) == (Access("s3a", "flights-data", "http://127.0.0.1:1", "eu-west-1"),)
    assert store.access.path_style


def test_a_mounted_file_system_is_a_directory_by_another_name(workspace: Path, tmp_path: Path) -> None:
    put(workspace, "flights", GOOD.replace("{kind: directory, root: data}", f"{{kind: efs, root: {tmp_path}/efs}}"))

    world = World.of(workspace).writing_to(MemoryStore())
    (tmp_path / "efs").mkdir()

    store = world.store("flights")
    store.put_if_absent("/flights/x", b"1")
    assert (store.kind, (tmp_path / "efs/flights/x").read_bytes()) == ("efs", b"1")
    assert world.accesses(["flights"]) == (Access("file"), Access("memory"))
    assert not store.access.path_style


def test_team_files_may_be_in_another_folder_and_messages_name_it(workspace: Path, tmp_path: Path) -> None:
    put(workspace, "flights", "not: a team")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    (mounted / "flights.yaml").write_text(GOOD)
    (mounted / "insights.yaml").write_text(INSIGHTS)

    teams = load_teams(workspace, mounted)

    assert sorted(teams.by_name) == ["flights", "insights"]
    # Relative places still start at the workspace.
    assert World.of(workspace, mounted).store("flights").root == str(workspace / "data")
    with pytest.raises(PolicyError, match=f"a grant in {mounted}/flights.yaml"):
        teams.require_grant("insights", TaskKey("flights", "flights.daily", "delays"))


def test_a_rendered_team_file_says_the_same(workspace: Path) -> None:
    place = EfsStore(kind="efs", root="/mnt/lake", uid=5, gid=6, mode="0750")
    put(workspace, "flights", GOOD)
    team = with_store(load_teams(workspace).team("flights"), place)

    put(workspace, "flights", as_yaml(team))

    assert load_teams(workspace).team("flights") == team
    assert team.store == place


@pytest.mark.parametrize("kind", ["efs", "directory"])
def test_a_file_system_that_is_not_mounted_takes_and_gives_nothing(workspace: Path, tmp_path: Path, kind: str) -> None:
    put(workspace, "flights", GOOD.replace("kind: directory, root: data", f"kind: {kind}, root: {tmp_path}/none"))
    store = World.of(workspace).store("flights")

    mounted = kind == "directory"  # the witness: it is made
    with nullcontext() if mounted else pytest.raises(SetupError, match="not mounted here"):
        store.list("/flights")
    with nullcontext() if mounted else pytest.raises(SetupError, match="not mounted here"):
        store.put_if_absent("/flights/x", b"1")
    assert (tmp_path / "none").exists() is mounted


def test_a_grant_to_nobody_is_told_and_stops_nobody(workspace: Path) -> None:
    """A team that is gone must not stop those that had granted it something."""
    put(workspace, "flights", GOOD.replace("insights", "insihgts"))

    (told,) = load_teams(workspace).loose_grants()
    assert told == "k8s/teams/flights.yaml: a grant to 'insihgts': no such team; did you mean insights?"


@pytest.mark.parametrize("twin", ["f1ights", "flight5", "insi9hts"])
def test_teams_that_look_alike_are_refused(workspace: Path, twin: str) -> None:
    put(workspace, "flights", GOOD)
    put(workspace, twin, INSIGHTS.replace("team: insights", f"team: {twin}"))

    with pytest.raises(ConfigError) if twin == "f1ights" else nullcontext() as stop:
        load_teams(workspace)
    if stop is not None:
        assert "flights.yaml:1: team: 'flights' is taken for 'f1ights' too easily" in "\n".join(stop.value.details)


def test_what_is_no_team_file_is_told_beside_the_others(workspace: Path) -> None:
    put(workspace, "flights", GOOD)
    folder = workspace / "k8s/teams"
    (folder / "sub.yaml").mkdir()
    (folder / "ghost.yaml").symlink_to("nowhere")
    (folder / "more.yml").write_text(GOOD)
    (folder / "odd.yaml").write_bytes(b"team: \xff\n")

    with pytest.raises(ConfigError) as stop:
        load_teams(workspace)

    assert list(stop.value.details) == [
        "more.yml:1: team files end in .yaml",
        "ghost.yaml:1: a file cannot be read (No such file or directory)",
        "odd.yaml:1: a file is not UTF-8 (the byte 0xff)",
        "sub.yaml:1: a file cannot be read (Is a directory)",
    ]


BUCKET = "team: {name}\nowners: [a@b.c]\nstore: {{kind: s3, bucket: {bucket}, prefix: '{prefix}'}}\n"


@pytest.mark.parametrize(
    ("bucket", "prefix", "more", "told"),
    [
        ("rain-data", "rain", "", "snow.yaml:1: store: rain-data/rain/snow/ is inside the place of 'rain'"),
        ("rain-data", "RAIN", "", "is inside the place of 'rain', or around it"),
        ("snow-data", "", 'writes: ["s3://rain-data/*"]\n', "writes: s3://rain-data/* is where 'rain' publishes"),
        ("snow-data", "", 'reads: ["s3://rain-data/rain/rain.daily/*"]\n', "ask its owners for a grant"),
        (
            "snow-data",
            "",
            'reads: ["s3://snow-data/snow/*"]\n',
            "reads: s3://snow-data/snow/* is where 'snow' publishes",
        ),
        ("snow-data", "", 'reads: ["s3://rain-data/rain/x.csv"]\n', "ask its owners for a grant"),
        ("snow-data", "", 'reads: ["s3://rain-data/ra"]\n', None),
        ("rain-data", "", "", None),
        ("snow-data", "", 'reads: ["s3://rain-data/landing/*"]\n', None),
        ("snow-data", "", 'reads: ["s3://rain-data/rainy/*"]\n', None),
    ],
)
def test_places_that_are_in_each_others_way(
    workspace: Path, bucket: str, prefix: str, more: str, told: str | None
) -> None:
    put(workspace, "rain", BUCKET.format(name="rain", bucket="rain-data", prefix=""))
    put(workspace, "snow", BUCKET.format(name="snow", bucket=bucket, prefix=prefix) + more)

    with nullcontext() if told is None else pytest.raises(ConfigError) as error:
        load_teams(workspace)

    assert told is None or (error is not None and told in str(error.value))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("team: &x\n  a: *x\n", "an alias refers to what it stands in"),
        (GOOD.replace("to: insights", "to: flights"), "grants are for other teams"),
    ],
)
def test_what_refers_to_itself(workspace: Path, text: str, told: str) -> None:
    put(workspace, "flights", text)

    with pytest.raises(ConfigError) as error:
        load_teams(workspace)

    assert told in str(error.value)

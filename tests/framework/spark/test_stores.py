"""What a session gets for S3 stores, without one."""

import json
from pathlib import Path

import pytest

from framework.datafile import DataFile
from framework.errors import ConfigError, InputChanged, SetupError, StoreUnavailable, TeamsparkError
from framework.spark.committed import require_magic
from framework.spark.faults import S3, store_fault
from framework.spark.files import read_failure
from framework.spark.settings import SessionSettings, effective_settings
from framework.spark.stores import S3Endpoint, StoreAccess, s3a_settings, store_access
from framework.sparkconf import refusals

HERE = S3Endpoint("us-east-1", "http://127.0.0.1:8333", path_style=True)
ACCESS = StoreAccess(s3a_settings(HERE), (Path("/jars/a.jar"), Path("/jars/b.jar")))


def test_a_session_without_s3_stores_has_no_setting_and_no_jar_for_them() -> None:
    keys = {setting.key for setting in effective_settings(SessionSettings("a", stores=store_access({})))}

    assert not [key for key in keys if "s3a" in key or "ommitter.class" in key or "ommitProtocol" in key]
    assert "spark.jars" not in keys


def test_a_stores_settings_come_last() -> None:
    said = dict.fromkeys(ACCESS.conf, "another")

    settings = {
        s.key: s
        for s in effective_settings(SessionSettings("a", conf=said, team_conf=said, stores=ACCESS), submit=said)
    }

    assert {key: settings[key].value for key in ACCESS.conf} == ACCESS.conf
    assert {settings[key].set_by for key in ACCESS.conf} == {"platform"}
    assert settings["spark.hadoop.fs.s3a.committer.name"].over[0] == ("author", "another")


def test_an_author_is_refused_every_one_of_them() -> None:
    assert len(refusals({**ACCESS.conf, "spark.jars": "x"})) == len(ACCESS.conf) + 1


def test_jars_are_added_to_those_of_other_layers() -> None:
    settings = {
        s.key: s.value for s in effective_settings(SessionSettings("a", stores=ACCESS), submit={"spark.jars": "x.jar"})
    }

    assert settings["spark.jars"] == "x.jar,local:/jars/a.jar,local:/jars/b.jar"


def test_no_setting_holds_a_key_or_asks_the_machines_own_identity() -> None:
    text = json.dumps(ACCESS.conf)

    assert not [
        word for word in ("access.key", "secret", "session.token", "InstanceProfile", "IAMInstance") if word in text
    ]


@pytest.mark.parametrize(
    ("endpoint", "address", "ssl"),
    [
        (HERE, "http://127.0.0.1:8333", "false"),
        (S3Endpoint("eu-west-1"), "https://s3.amazonaws.com", "true"),
        (S3Endpoint("eu-west-1", "https://s3.example.org"), "https://s3.example.org", "true"),
    ],
)
def test_the_address_says_whether_it_is_encrypted(endpoint: S3Endpoint, address: str, ssl: str) -> None:
    conf = s3a_settings(endpoint)

    assert conf["spark.hadoop.fs.s3a.endpoint"] == address
    assert conf["spark.hadoop.fs.s3a.connection.ssl.enabled"] == ssl


def test_a_bucket_may_be_elsewhere() -> None:
    conf = s3a_settings(S3Endpoint("eu-west-1"), {"lake": HERE})

    assert conf["spark.hadoop.fs.s3a.endpoint.region"] == "eu-west-1"
    assert conf["spark.hadoop.fs.s3a.bucket.lake.endpoint"] == HERE.endpoint
    assert conf["spark.hadoop.fs.s3a.bucket.lake.connection.ssl.enabled"] == "false"


@pytest.mark.parametrize("address", ["127.0.0.1:8333", "s3://x", "http://", "http://user:pass" + "@host"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="not an S3 endpoint"):
        s3a_settings(S3Endpoint("us-east-1", address))


def test_the_committers_word_is_believed_when_it_is_magic() -> None:
    told = {"committer": "magic", "filenames": ["/some/prefix/x/part-0", "/some/prefix/x/part-1"]}

    assert require_magic(json.dumps(told).encode(), where="s3a://b/x").names == {"part-0", "part-1"}


@pytest.mark.parametrize("success", [b"", b"{}", b"[]", b"\xff", b'{"committer":"directory"}', b'{"committer":null}'])
def test_any_other_word_is_an_error(success: bytes) -> None:
    with pytest.raises(SetupError, match="needs no rename") as caught:
        require_magic(success, where="s3a://b/x")

    assert "s3a://b/x" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("S3Exception: The provided token has expired. (ExpiredToken, Status Code: 400)", StoreUnavailable),
        ("S3Exception: InvalidAccessKeyId (Status Code: 403)", SetupError),
        ("java.nio.file.AccessDeniedException: s3a://b/x: S3Exception Status Code: 403", SetupError),
        ("UnknownStoreException: `s3a://b/': Bucket does not exist", SetupError),
        ("AWSServiceThrottledException: Status Code: 503", StoreUnavailable),
        ("ConnectException: Connection refused; then SocketTimeoutException", StoreUnavailable),
        ("org.apache.hadoop.fs.s3a.auth.NoAuthWithAWSException: No AWS Credentials provided", SetupError),
    ],
)
def test_a_fault_has_the_class_that_says_whether_a_retry_helps(text: str, kind: type[TeamsparkError]) -> None:
    told = store_fault(text, S3, where="s3a://b/x")

    assert type(told) is kind
    assert told.next_step


def test_what_another_program_refuses_is_not_the_stores_fault() -> None:
    assert store_fault("ConnectionRefusedError: [Errno 111] Connection refused", S3, where="s3a://b/x") is None


def test_a_file_replaced_while_it_is_read_is_a_changed_input() -> None:
    error = RuntimeError("org.apache.hadoop.fs.s3a.RemoteFileChangedException: open `s3a://b/x/part-0.parquet': ...")

    told = read_failure(error, [DataFile("s3a://b/x/part-0.parquet")], where="port a")

    assert isinstance(told, InputChanged)
    assert read_failure(error, [DataFile("file:///x/part-0.parquet")], where="port a") is None

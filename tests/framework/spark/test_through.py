"""What a failing read through a cache is taken for: never for a verdict on the data, nor for another store's fault."""

import pytest

from framework.cache.settings import client_needs
from framework.datafile import DataFile
from framework.errors import CacheUnavailable, StoreUnavailable
from framework.spark.files import read_failure
from framework.spark.settings import SessionSettings, effective_settings
from framework.spark.stores import StoreAccess
from framework.sparkconf import refusals

CACHED = DataFile("alluxio://127.0.0.1:19998/store/flights/x/part-0.parquet")
OBJECT = DataFile("s3a://flights-data/flights/y/part-0.parquet")
DEAD = """
[FAILED_READ_FILE.NO_HINT] Encountered error while reading file alluxio://127.0.0.1:19998/store/flights/x/part-0.parquet
Caused by: alluxio.exception.status.UnavailableException: io exception
Caused by: java.net.ConnectException: Connection refused
"""
FAILURES = {
    "a dead worker": DEAD,
    "a dead master": "java.io.IOException: no answer\n\tat alluxio.hadoop.AbstractFileSystem.getFileStatus(A.java:1)",
    "a torn file": f"[FAILED_READ_FILE.NO_HINT] ... {CACHED.uri} ...\nCaused by: java.lang.RuntimeException: CRC mismatch",
    "a lost file": f"[FAILED_READ_FILE.FILE_NOT_EXIST] File {CACHED.uri} does not exist",
}


@pytest.mark.parametrize("failure", list(FAILURES))
def test_whatever_happens_to_a_file_in_the_cache_is_the_caches_failure(failure: str) -> None:
    told = read_failure(RuntimeError(FAILURES[failure]), [CACHED], where="port a")

    assert isinstance(told, CacheUnavailable)
    assert told.retryable


def test_it_is_not_the_failure_of_a_bucket_beside_it() -> None:
    assert read_failure(RuntimeError(DEAD), [OBJECT], where="port b") is None
    # The witness: said of the bucket, the same words are its failure.
    alone = "Caused by: java.net.ConnectException: Connection refused"
    assert isinstance(read_failure(RuntimeError(alone), [OBJECT], where="port b"), StoreUnavailable)


def test_the_same_damage_in_the_store_is_a_verdict() -> None:
    path = DataFile("file:///nowhere/part-0.parquet")
    text = f"[FAILED_READ_FILE.NO_HINT] ... {path.uri} ...\nCaused by: java.lang.RuntimeException: CRC mismatch"

    assert not isinstance(read_failure(RuntimeError(text), [path], where="port a"), CacheUnavailable)


def test_an_error_of_the_authors_passes_though_it_reads_through_a_cache() -> None:
    text = (
        "[DIVIDE_BY_ZERO] Division by zero.\n\tat org.apache.spark.sql.execution.datasources.FileScanRDD$$anon$1.next"
    )

    assert read_failure(RuntimeError(text), [CACHED], where="port a") is None


def test_a_session_that_reads_through_a_cache_gives_up_soon_beside_other_options_of_its_jvms() -> None:
    needs = client_needs(local=True)
    keys = ("spark.driver.extraJavaOptions", "spark.executor.extraJavaOptions")
    asked = SessionSettings(
        "a", team_conf=dict.fromkeys(keys, "-Dteam=1"), stores=StoreAccess(needs.conf, (), needs.java_options)
    )

    settings = {s.key: s.value for s in effective_settings(asked)}

    for key in keys:
        assert settings[key].startswith("-Dteam=1 ")
        assert "-Dalluxio.user.rpc.retry.max.duration=3s" in settings[key]
    assert len(refusals({**needs.conf, **dict.fromkeys(keys, "x")})) == len(needs.conf) + 2


def test_a_session_without_a_cache_has_no_option_for_one() -> None:
    settings = {s.key for s in effective_settings(SessionSettings("a"))}

    assert not [key for key in settings if "xtraJavaOptions" in key or "alluxio" in key]


def test_only_a_worker_of_this_machine_is_told_to_be_one() -> None:
    option = "-Dalluxio.user.hostname=localhost"

    assert option in client_needs(local=True).java_options
    assert option not in client_needs(local=False).java_options

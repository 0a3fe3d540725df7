"""One contract for every store, also when its listings lag and its replies get lost."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from framework.errors import ConfigError, InputChanged, InputCorrupt, PathError, StoreUnavailable, Superseded
from framework.storage.base import Store
from framework.storage.memory import MemoryStore
from framework.storage.posix import DirectoryStore
from framework.storage.publish import RunLog, check_files, list_attempt
from framework.storage.selftest import folder_of, self_test
from tests.contracts.faults import LaggingStore, LostReplyStore, lose_in_turn
from tests.framework.storage.tries import KEY, Try, claims, content_of, manifest_of, put, quick_log, run_try, write

MOODS: dict[str, Callable[[Store], Store]] = {
    "plain": lambda store: store,
    "lagging": LaggingStore,
    "lossy": lambda store: LostReplyStore(store, lose_in_turn("taken", None, "silence", "request")),
}


def _memory(request: pytest.FixtureRequest) -> Store:
    return MemoryStore()


def _directory(request: pytest.FixtureRequest) -> Store:
    return DirectoryStore(request.getfixturevalue("tmp_path") / "store")


def _s3(request: pytest.FixtureRequest) -> Store:
    store: Store = request.getfixturevalue("s3_store")
    return store


KINDS: dict[str, Callable[[pytest.FixtureRequest], Store]] = {"memory": _memory, "directory": _directory, "s3": _s3}


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def calm(kind: str, request: pytest.FixtureRequest) -> Store:
    """The store as it is."""
    return KINDS[kind](request)


@pytest.fixture
def races(kind: str) -> int:
    """How many to run: the S3 server takes a second to settle one."""
    return 6 if kind == "s3" else 24


@pytest.fixture(params=list(MOODS))
def store(request: pytest.FixtureRequest, calm: Store) -> Iterator[Store]:
    """The store in each of its moods."""
    yield MOODS[request.param](calm)


def soon(look: Callable[[], object], wanted: object) -> bool:
    """Listings may lag by two looks a name."""
    return any(look() == wanted for _ in range(12))


def test_what_is_put_can_be_read_by_name_at_once(store: Store) -> None:
    assert put(store, "/flights/a/b", b"some bytes")

    assert store.read("/flights/a/b") == b"some bytes"
    entry = store.stat("/flights/a/b")
    assert entry is not None
    assert (entry.path, entry.bytes) == ("/flights/a/b", 10)


def test_what_is_absent_is_none_and_no_error(store: Store) -> None:
    put(store, "/flights/a/b", b"x")

    for path in ("/flights/a/c", "/flights/none/at/all"):
        assert store.read(path) is None
        assert store.stat(path) is None
        assert store.list(path) == ()
        assert store.folders(path) == ()


def test_a_slot_is_given_once(store: Store) -> None:
    assert put(store, "/flights/slot", b"first")

    assert not put(store, "/flights/slot", b"second")
    assert store.read("/flights/slot") == b"first"


def test_an_empty_file_takes_its_slot_too(store: Store) -> None:
    assert put(store, "/flights/slot", b"")

    assert not put(store, "/flights/slot", b"second")


def test_listing_is_recursive_sorted_and_ends_at_the_segment(store: Store) -> None:
    for path in ("/flights/run/z", "/flights/run/a/2", "/flights/run/a/1", "/flights/run2/x", "/flights/ru"):
        put(store, path, b"x")

    wanted = ["/flights/run/a/1", "/flights/run/a/2", "/flights/run/z"]
    assert soon(lambda: [entry.path for entry in store.list("/flights/run")], wanted)
    assert soon(lambda: len(store.list("/")), 5)


def test_folders_are_those_directly_below(store: Store) -> None:
    for path in ("/flights/b/x", "/flights/a/deep/y", "/flights/file"):
        put(store, path, b"x")

    assert soon(lambda: store.folders("/flights"), ("a", "b"))
    assert soon(lambda: store.folders("/"), ("flights",))


def test_settle_finds_what_is_gone_or_changed(store: Store) -> None:
    put(store, "/flights/a", b"12345")

    store.settle([("/flights/a", 5)])
    with pytest.raises(StoreUnavailable):
        store.settle([("/flights/a", 6)])
    with pytest.raises(StoreUnavailable):
        store.settle([("/flights/b", 5)])


def test_delete_removes_data_and_never_the_log(store: Store) -> None:
    put(store, "/flights/run/a0001-0/part", b"x")
    put(store, "/flights/run/_log/0001.claim", b"x")

    store.delete(["/flights/run/a0001-0/part", "/flights/run/a0001-0/never-was"])
    with pytest.raises(PathError):
        store.delete(["/flights/run/_log/0001.claim"])

    assert store.read("/flights/run/a0001-0/part") is None
    assert store.read("/flights/run/_log/0001.claim") == b"x"


@pytest.mark.parametrize(
    "path", ["", "flights/a", "/flights/../insights/x", "/flights/./x", "/flights//x", "/flights/", "/a\0b", "/a\nb"]
)
def test_a_path_that_is_not_canonical_is_refused_by_every_verb(store: Store, path: str) -> None:
    verbs: list[Callable[[], object]] = [
        lambda: store.put_if_absent(path, b"x"),
        lambda: store.read(path),
        lambda: store.stat(path),
        lambda: store.list(path),
        lambda: store.folders(path),
        lambda: store.settle([(path, 1)]),
        lambda: store.delete([path]),
        lambda: store.uri(path),
    ]
    for verb in verbs:
        with pytest.raises(PathError):
            verb()


def test_a_uri_shows_the_path_unescaped(store: Store) -> None:
    assert store.uri("/flights/!4f!20ps/a").endswith("/flights/!4f!20ps/a")


def test_of_racing_writers_one_wins(store: Store, races: int) -> None:
    for round_ in range(races):
        path = f"/flights/slot-{round_}"
        with ThreadPoolExecutor(6) as pool:
            won = list(pool.map(lambda n, path=path: put(store, path, b"writer %d" % n), range(6)))

        assert won.count(True) == 1
        assert store.read(path) == b"writer %d" % won.index(True)


def test_the_self_test_accepts_it_and_tidies_up(calm: Store) -> None:
    self_test(calm, "flights")

    assert calm.list(folder_of("flights")) == ()


def test_two_tries_publish_one_after_the_other(store: Store, calm: Store) -> None:
    first = run_try(store, Try.of(1))
    again = run_try(store, Try.of(1))
    second = run_try(store, Try(Try.of(2).epoch, clear_number=1, content=b"second"))

    assert (first.number, second.number) == (1, 2)
    assert again.digest == first.digest or again.number == 1
    newest = quick_log(calm).newest()
    assert newest == second
    assert content_of(store, second) == b"second"


def test_publish_again_gives_the_same_answer(store: Store) -> None:
    log = quick_log(store)
    attempt = log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=log.seen())
    manifest = manifest_of(attempt, b"rows")
    write(store, attempt, b"rows")

    assert log.publish(attempt, manifest) == log.publish(attempt, manifest)
    with pytest.raises(ConfigError):
        log.publish(attempt, manifest.model_copy(update={"attempt": 2}))


def test_what_is_published_is_what_a_reader_finds(store: Store, calm: Store) -> None:
    log = quick_log(store)
    attempt = log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=log.seen())
    write(store, attempt, b"rows")
    told = {"größe": [1.5, None, {"a": True}], "n": 10**20, "zero": -0.0}
    manifest = manifest_of(attempt, b"rows").model_copy(update={"parameters": told})

    published = log.publish(attempt, manifest)

    assert quick_log(calm).newest() == published
    assert published.manifest == manifest


def test_a_second_manifest_of_an_attempt_changes_nothing(store: Store, calm: Store) -> None:
    log = quick_log(store)
    attempt = log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=log.seen())
    write(store, attempt, b"rows")
    first = log.publish(attempt, manifest_of(attempt, b"rows"))

    second = log.publish(attempt, manifest_of(attempt, b"rows").model_copy(update={"contract": "1"}))

    assert second == first
    assert quick_log(calm).newest() == first


def test_a_hint_is_opened_by_name_however_late_the_listing(calm: Store) -> None:
    first = run_try(calm, Try.of(1))
    second = run_try(calm, Try(Try.of(2).epoch, clear_number=1))
    never = LaggingStore(calm, looks=lambda path: 10**9 if "0002." in path else 0)

    assert quick_log(never).newest() == first
    assert quick_log(never).newest(at_least=2) == second
    assert quick_log(calm).newest(at_least=1) == second


def test_a_hint_waits_five_seconds_and_is_never_the_truth(calm: Store) -> None:
    first = run_try(calm, Try.of(1))
    slept: list[float] = []

    assert RunLog(calm, KEY, pause=slept.append).newest(at_least=7) == first
    assert 4.9 < sum(slept) < 5.2


def test_a_hint_is_waited_for_until_it_is_published(calm: Store) -> None:
    log = quick_log(calm)
    attempt = log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=frozenset())
    write(calm, attempt, b"rows")
    slept: list[float] = []

    def pause(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            log.publish(attempt, manifest_of(attempt, b"rows"))

    found = RunLog(calm, KEY, pause=pause).newest(at_least=1)
    assert found is not None
    assert (found.number, len(slept)) == (1, 3)


def test_a_tombstone_closes_an_attempt_that_has_not_published(store: Store) -> None:
    log = quick_log(store)
    attempt = log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=log.seen())
    write(store, attempt, b"rows")

    assert log.tombstone(1, who="gc")
    with pytest.raises(Superseded):
        log.publish(attempt, manifest_of(attempt, b"rows"))
    assert log.published(1) is None
    assert log.newest(at_least=1) is None


def test_a_tombstone_comes_too_late_for_a_published_attempt(store: Store) -> None:
    published = run_try(store, Try.of(1))

    assert not quick_log(store).tombstone(1, who="gc")
    assert quick_log(store).published(1) == published
    with pytest.raises(ConfigError):
        quick_log(store).tombstone(2, who="gc")


def test_retiring_takes_lower_attempts_along(store: Store, calm: Store) -> None:
    log = quick_log(store)
    waiting = log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=log.seen())
    write(store, waiting, b"rows")
    second = run_try(store, Try.of(2))
    third = run_try(store, Try(Try.of(3).epoch, clear_number=1))

    log.retire(2, who="gc")

    assert quick_log(calm).newest() == third
    with pytest.raises(Superseded):
        log.publish(waiting, manifest_of(waiting, b"rows"))
    log.ensure_live(third)
    with pytest.raises(InputChanged, match="attempt 3"):
        quick_log(calm).ensure_live(second)
    log.retire(3, who="gc")
    assert quick_log(calm).newest() is None
    assert quick_log(calm).newest(at_least=2) is None
    with pytest.raises(ConfigError):
        log.retire(4, who="gc")


def test_the_history_tells_every_attempt(calm: Store) -> None:
    log = quick_log(calm)
    log.claim(Try.of(1).epoch, clear_number=0, who="a laptop", seen=frozenset())
    run_try(calm, Try.of(2))
    third = run_try(calm, Try(Try.of(3).epoch, clear_number=1))
    log.retire(2, who="gc")

    state = log.state()
    assert [(a.number, a.published is not None, a.tombstoned, a.retired) for a in state.attempts] == [
        (1, False, True, True),
        (2, True, False, True),
        (3, True, False, False),
    ]
    assert state.attempts[0].claim.who == "a laptop"
    assert state.newest == third


def test_racing_claims_get_one_number_each_without_a_gap(store: Store, calm: Store, races: int) -> None:
    def claim(number: int) -> int:
        return quick_log(store).claim(Try.of(1).epoch, clear_number=0, who=str(number), seen=frozenset()).number

    with ThreadPoolExecutor(6) as pool:
        numbers = list(pool.map(claim, range(races)))

    assert sorted(numbers) == list(range(1, races + 1))
    assert len(claims(calm)) == races


def test_files_are_compared_with_the_manifest_by_name(store: Store, calm: Store) -> None:
    published = run_try(store, Try.of(1))

    check_files(store, published)
    check_files(store, published, "rejects")
    calm.delete(published.paths("rejects"))
    with pytest.raises(InputCorrupt, match="gone"):
        check_files(store, published, "rejects")
    calm.put_if_absent(published.paths("rejects")[0], b"other")
    with pytest.raises(InputCorrupt, match="5 bytes"):
        check_files(store, published, "rejects")


def test_markers_and_leftovers_are_no_data(calm: Store) -> None:
    log = quick_log(calm)
    attempt = log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=frozenset())
    for name in ("_SUCCESS", ".part-0.crc", "_temporary/0/part-9", "day=1/_x", "day=1/part_1.gz", "part-0"):
        calm.put_if_absent(f"{attempt.output_dir()}/{name}", b"x")

    assert [file.path for file in list_attempt(calm, attempt)] == ["default/day=1/part_1.gz", "default/part-0"]


def test_a_manifest_copied_from_another_run_is_refused(calm: Store) -> None:
    run_try(calm, Try.of(1))
    other = type(KEY)("insights", "insights.daily", "delays", KEY.run)
    log = quick_log(calm, other)
    log.claim(Try.of(1).epoch, clear_number=0, who="a test", seen=frozenset())
    stolen = calm.read(quick_log(calm)._slot(1, "published"))
    assert stolen is not None
    calm.put_if_absent(log._slot(1, "published"), stolen)

    with pytest.raises(InputCorrupt, match="does not belong"):
        log.newest()

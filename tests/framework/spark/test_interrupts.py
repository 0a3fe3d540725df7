"""Ctrl-C, in processes of their own: no JVM stays, whenever it comes, and nothing is written of it."""

from pathlib import Path
from typing import Any, Final

import pytest

from framework.spark.interrupts import kept
from tests.framework.spark.children import child_and_stderr

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="asks Linux for a process's children"),
]

HEAD: Final = """
import signal, subprocess, tempfile, threading
born = []

def is_spark(pid):
    # Not the `java -version` that is asked before, and no fork that is still this program.
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\\0")
    return words[1].endswith("/spark-submit") or (words[0].endswith("/java") and "-version" not in words)

def children():
    found = [int(pid) for task in Path("/proc/self/task").glob("*/children") for pid in task.read_text().split()]
    try:
        return [pid for pid in found if is_spark(pid)]
    except (OSError, IndexError):
        return []  # one has just ended

def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

def interrupt(after_s):
    while not (found := children()):  # asked once more, it may answer none: a program's words are empty while it is exec'ed
        time.sleep(0.01)
    born.extend(found)
    time.sleep(after_s)
    os.kill(os.getpid(), signal.SIGINT)

def interrupted_after(seconds):
    threading.Thread(target=interrupt, args=(seconds,), daemon=True).start()
"""
# What pyspark does, with the Java and the variables that our session would give it.
PYSPARKS_START: Final = """
from framework.spark.session import prepare
from pyspark.java_gateway import launch_gateway
os.environ.update({name: value for name, value in prepare(settings, os.environ).environ.items() if value})
quiet = open(settings.log, "ab")
"""


def child(code: str, folder: Path) -> tuple[dict[str, Any], str]:
    """What ``code`` puts into ``seen``, and all of stderr."""
    (folder / "tmp").mkdir()
    return child_and_stderr(HEAD + code, folder, TMPDIR=str(folder / "tmp"))


@pytest.mark.parametrize("after_s", [0.0, 0.5, 2.0])
def test_an_interrupt_while_the_jvm_starts_leaves_none(tmp_path: Path, after_s: float) -> None:
    seen, told = child(
        f"""
interrupted_after({after_s})
try:
    with open_session(settings):
        time.sleep(60)
except KeyboardInterrupt:
    seen["interrupted"] = True
seen["born"] = len(born)
seen["left"] = [pid for pid in born if runs(pid)]
seen["folders"] = [str(path) for path in Path(tempfile.gettempdir()).glob("teamspark-jvm-*")]
""",
        tmp_path,
    )

    assert (seen["interrupted"], seen["born"], seen["left"], seen["folders"]) == (True, 1, [], [])
    assert told == ""


def test_an_interrupt_while_the_session_opens_leaves_none(tmp_path: Path) -> None:
    seen, told = child(
        """
def once_the_context_runs(frame, event, arg):
    if event == "call" and frame.f_code.co_name == "__init__" and frame.f_code.co_filename.endswith("sql/session.py"):
        sys.setprofile(None)
        interrupted_after(0.1)
sys.setprofile(once_the_context_runs)
try:
    with open_session(settings):
        time.sleep(60)
except KeyboardInterrupt:
    seen["interrupted"] = True
seen["left"] = [pid for pid in born if runs(pid)]
""",
        tmp_path,
    )

    assert (seen, told) == ({"interrupted": True, "left": []}, "")


@pytest.mark.long
def test_a_start_by_pyspark_alone_leaves_its_jvm(tmp_path: Path) -> None:
    seen, _ = child(
        PYSPARKS_START
        + """
interrupted_after(0.5)
try:
    launch_gateway(None, {"stdout": quiet, "stderr": quiet})
except KeyboardInterrupt:
    pass
time.sleep(20)
seen["left"] = sum(runs(pid) for pid in born)
for pid in born:
    os.kill(pid, signal.SIGKILL)
""",
        tmp_path,
    )

    assert seen["left"] == 1


WORK: Final = """
def work(spark):
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGINT)).start()
    spark.range(10**13).selectExpr("sum(hash(id, id + 1))").collect()
"""


def test_an_interrupt_while_spark_works_is_all_that_is_seen(tmp_path: Path) -> None:
    seen, told = child(
        WORK
        + """
try:
    with open_session(settings) as spark:
        process = spark.sparkContext._gateway.proc
        work(spark)
except KeyboardInterrupt:
    seen["passed on"] = True
seen["ended"] = process.poll() is not None
seen["handler"] = signal.getsignal(signal.SIGINT) is signal.default_int_handler
""",
        tmp_path,
    )

    assert seen == {"passed on": True, "ended": True, "handler": True}
    assert told == ""


def broken_by(error: BaseException) -> None:
    try:
        raise error
    finally:
        raise OSError("the connection is gone")  # as pyspark's own way out may


def test_what_an_interrupt_breaks_is_an_interrupt() -> None:
    with pytest.raises(KeyboardInterrupt), kept():
        broken_by(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt), kept():
        try:
            broken_by(KeyboardInterrupt())
        except OSError as error:
            raise ValueError("told in other words") from error


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(OSError, match="the connection is gone"), kept():
        broken_by(ValueError())


@pytest.mark.long
def test_py4j_writes_tracebacks_of_it_where_nobody_keeps_it_quiet(tmp_path: Path) -> None:
    _, told = child(
        PYSPARKS_START
        + WORK
        + """
from pyspark.sql import SparkSession
try:
    work(SparkSession.builder.master("local[1]").getOrCreate())
except BaseException:
    pass
""",
        tmp_path,
    )

    assert "Traceback" in told

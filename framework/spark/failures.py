"""What the author's code raised, or Spark on its behalf, as one error with the author's line.

Spark evaluates late: most errors come up when an output is written, where the traceback holds no line of the author's.
Then it is Spark's query context that knows the line, or the traceback of a Python worker.

What is known to have ended Spark (memory, disk, lost executors, a JVM that is gone) is told by its cause and what to change,
``framework.diagnosis``; where another try may help, as an error that is retried.

No value of a row is shown: the message goes to logs that more people read than the data. What Spark says of one is
masked by the parameters of its message; an exception that the author raises says what the author wrote.
"""

import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from typing import Any, Final

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException, QueryContextType

from framework.diagnosis import Diagnosis, Evidence, diagnose
from framework.diagnosis.signs import AWAY
from framework.errors import JobFailed, RunLost, TeamsparkError
from framework.identity import JobName, snake_case
from framework.masking import MASK
from framework.spark.session import jvm_ended, text_of, where_it_runs

# Conditions of Spark's whose message holds a row's value, and in which parameters.
VALUES: Final[Mapping[str, tuple[str, ...]]] = {
    "CANNOT_PARSE_TIME": ("input",),
    "CANNOT_PARSE_TIMESTAMP": ("message",),
    "CAST_INVALID_INPUT": ("expression",),
    "CAST_OVERFLOW": ("value",),
    "CONVERSION_INVALID_INPUT": ("str",),
    "DUPLICATED_MAP_KEY": ("key",),
    "FAILED_ROW_TO_JSON": ("value",),
    "INVALID_INTERVAL_FORMAT": ("input",),
    "INVALID_URL": ("url",),
    "INVALID_UTF8_STRING": ("str",),
    "INVALID_VARIANT_CAST": ("value",),
    "MALFORMED_CSV_RECORD": ("badRecord",),
    "MALFORMED_RECORD_IN_PARSING": ("badRecord", "fieldValue"),
    "NUMERIC_OUT_OF_SUPPORTED_RANGE": ("value",),
    "NUMERIC_VALUE_OUT_OF_RANGE": ("value", "originalValue", "roundedValue"),
}
_SHOWN_SQL: Final = 120
# What follows the message: the place in words, the plan, Java's stack.
_REST: Final = re.compile(r"\n== .*|(?<=SQLSTATE: \w{5});\n.*|\nJVM stacktrace.*", re.DOTALL)
_JAVA_LINE: Final = re.compile(r"^\s+at .*\n?", re.MULTILINE)
_PYTHON_LINE: Final = re.compile(r'File "([^"\n]+)", line (\d+)')
_LONGEST: Final = 100_000
"""Of a text that is searched for causes. Spark repeats itself: its first words and its last hold them all."""
_ENDS_S: Final = 10.0
"""How long a JVM that does not answer any more may take to end."""


def job_failed(error: BaseException, *, job: str, part: str) -> TeamsparkError:
    """``error`` as the failure of ``job`` in ``part`` of its run: JobFailed; RunLost where another try may help."""
    found = diagnose(_evidence(error))
    if found is not None:
        return _diagnosed(found, error, job, part)
    return JobFailed(
        f"{part} raised {type(error).__name__}",
        where=_where(error, job, part),
        got=_message(error),
        details=[f"in SQL: {text}" for text in _fragments(error) if len(text) <= _SHOWN_SQL],
        next_step=f"try it on a few rows: teamspark run {job} --fixtures {_fixtures(job)}",
    )


def _diagnosed(found: Diagnosis, error: BaseException, job: str, part: str) -> TeamsparkError:
    kind = RunLost if found.again else JobFailed
    said = type(error).__name__
    return kind(
        f"{part}: {found.cause}", where=_where(error, job, part), got=f"{found.seen} ({said})", next_step=found.change
    )


def _evidence(error: BaseException) -> Evidence:
    """What is to be seen from here. A JVM that does not answer is waited for: how it ended says why."""
    text = "\n".join(_told(error))
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 2]}\n{text[-_LONGEST // 2 :]}"
    return Evidence(
        jvm=jvm_ended(within_s=_ENDS_S if _unanswered(error) or AWAY.search(text) else 0),
        error=text,
        where=where_it_runs(),
    )


def _unanswered(error: BaseException) -> bool:
    return isinstance(error, Py4JError | OSError) and not isinstance(error, Py4JJavaError)


def _told(error: BaseException) -> Iterator[str]:
    """``error`` and what led to it, each with its class, and with the causes that Java tells."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield f"{type(one).__name__}: {text_of(one)}"
        yield str(getattr(one, "_stackTrace", None) or "")
        one = one.__cause__ or one.__context__


def _fixtures(job: str) -> str:
    if not job.startswith("jobs."):
        return "<folder>"
    name = JobName.parse(job)
    return f"jobs/{name.team}/fixtures/{snake_case(job.rpartition(':')[2])}/<case>"


def _where(error: BaseException, job: str, part: str) -> str:
    frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(error.__traceback__)]
    now = [place for place in frames if _is_of(place[0], job)]
    if now:
        return f"{now[-1][0]}:{now[-1][1]}"
    late = [place for place in _late(error) if _is_of(place[0], job)]
    if late:
        return f"{late[-1][0]}:{late[-1][1]}, evaluated when its rows were needed"
    return job if part != "transform" else f"{job}: somewhere in its frames, which are evaluated when they are written"


def _is_of(file: str, job: str) -> bool:
    """Whether ``file`` is the job's team's, or the job's own."""
    if job.startswith("jobs.") and f"jobs/{JobName.parse(job).team}/" in file.replace("\\", "/"):
        return True
    module = sys.modules.get(job.partition(":")[0])
    return file == getattr(module, "__file__", None)


def _contexts(error: BaseException) -> list[Any]:
    return list(error.getQueryContext()) if isinstance(error, PySparkException) else []


def _late(error: BaseException) -> Iterator[tuple[str, int]]:
    """Files and lines that Spark, or its Python worker, names."""
    for context in _contexts(error):
        if context.contextType() == QueryContextType.DataFrame:
            file, _, line = context.callSite().rpartition(":")
            yield file, int(line) if line.isdigit() else 0
    for file, line in _PYTHON_LINE.findall(text_of(error)):
        yield file, int(line)


def _fragments(error: BaseException) -> Iterator[str]:
    """The SQL that failed, whole."""
    for context in _contexts(error):
        if context.contextType() == QueryContextType.SQL:
            yield str(context.fragment())


def _message(error: BaseException) -> str:
    text = text_of(error).strip() or type(error).__name__
    if isinstance(error, Py4JError):
        return _JAVA_LINE.sub("", text)
    if not isinstance(error, PySparkException):
        return text
    text = _REST.sub("", text)
    parameters = error.getMessageParameters() or {}
    for name in VALUES.get((error.getCondition() or "").partition(".")[0], ()):
        if value := parameters.get(name):
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", MASK, text)
    return text

"""What a Spark session is asked for, and what it will get: every setting, and who set it. Pure: no JVM, no pyspark.

Later layers win, so that no author, team or ``spark-submit`` line changes what the platform relies on:

    platform defaults < spark-submit (its defaults file, its arguments) < team < author < platform

Which settings an author may make at all is ``framework.sparkconf``; whoever takes an author's word asks there first. Where a
platform says where a run is placed, nobody else is heard beyond that list: what it does not allow is left out.
"""

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeAlias

from framework.errors import ConfigError
from framework.spark.eventlog import SWITCH, event_settings
from framework.spark.redaction import SECRET_NAME
from framework.spark.stores import StoreAccess
from framework.spark.tuning import SHORT_JOB
from framework.sparkconf import FORCED, heard

Layer: TypeAlias = Literal["platform", "team", "author", "spark-submit"]

DEFAULT_MASTER: Final = "local[2]"
JAVA_OPTIONS: Final = "spark.driver.extraJavaOptions"
EXECUTOR_OPTIONS: Final = "spark.executor.extraJavaOptions"
JARS: Final = "spark.jars"

_DEFAULTS: Final[Mapping[str, str]] = {
    "spark.ui.enabled": "false",  # a port and 0.6 s per start; the event log tells the same afterwards
    "spark.ui.showConsoleProgress": "false",  # progress is the caller's, as a callback
    "spark.log.level": "WARN",
}
# A laptop's driver is reachable from this machine only.
_FORCED_LOCAL: Final[Mapping[str, str]] = {
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
}
# spark-submit's own flags, and the setting each one is another spelling of.
_FLAGS: Final[Mapping[str, str]] = {
    "--master": "spark.master",
    "--deploy-mode": "spark.submit.deployMode",
    "--name": "spark.app.name",
    "--driver-memory": "spark.driver.memory",
    "--driver-cores": "spark.driver.cores",
    "--driver-java-options": JAVA_OPTIONS,
    "--driver-class-path": "spark.driver.extraClassPath",
    "--driver-library-path": "spark.driver.extraLibraryPath",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances",
    "--total-executor-cores": "spark.cores.max",
    "--jars": "spark.jars",
    "--packages": "spark.jars.packages",
    "--exclude-packages": "spark.jars.excludes",
    "--repositories": "spark.jars.repositories",
    "--files": "spark.files",
    "--archives": "spark.archives",
    "--py-files": "spark.submit.pyFiles",
    "--queue": "spark.yarn.queue",
    "--principal": "spark.kerberos.principal",
    "--keytab": "spark.kerberos.keytab",
}
_SHELL: Final = "pyspark-shell"
# An author may say them where nobody else says how large executors are; they make a pod larger than its run was given room.
_LARGER: Final = frozenset(
    {"spark.executor.pyspark.memory", "spark.memory.offHeap.enabled", "spark.memory.offHeap.size"}
)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """What a caller asks for.

    ``master`` None means: what ``spark-submit``'s arguments say, else ``local[2]``. ``conf`` is the author's,
    ``team_conf`` the team's. ``archive_dir`` is where the class-data archive lives; None starts without one.
    ``stores`` is what the session's stores need: settings that nobody overrides, and jars.
    ``short_job`` trades top speed for a quick start (C1 compiler, serial collector): tests and jobs of seconds.
    ``log`` receives what the JVM prints; None leaves it on this process's own stdout and stderr.
    ``platform`` is what whoever launched this process says: where executors run and how large they are. Where it says
    anything, ``conf``, ``team_conf`` and ``spark-submit`` are heard only as an author would be.
    """

    app_name: str
    master: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict)
    team_conf: Mapping[str, str] = field(default_factory=dict)
    archive_dir: Path | None = None
    stores: StoreAccess = field(default_factory=StoreAccess)
    short_job: bool = False
    log: Path | None = None
    platform: Mapping[str, str] = field(default_factory=dict)
    event_log: Path | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One effective setting. ``over`` holds what other layers said, nearest first."""

    key: str
    value: str
    set_by: Layer
    over: tuple[tuple[Layer, str], ...] = ()

    @property
    def shown(self) -> str:
        """The value, or ``***`` where the key's name says that it is a secret."""
        return "***" if SECRET_NAME.search(self.key) else self.value


@dataclass(frozen=True, slots=True)
class SubmitArguments:
    """``PYSPARK_SUBMIT_ARGS`` taken apart: settings, and the flags that are none."""

    conf: Mapping[str, str]
    rest: tuple[str, ...]

    def command_line(self) -> str:
        """What is left for ``spark-submit`` once the settings are merged with the others."""
        return shlex.join([*self.rest, _SHELL])


def effective_settings(
    settings: SessionSettings, *, submit: Mapping[str, str] | None = None, java_options: Sequence[str] = ()
) -> tuple[Setting, ...]:
    """Every setting that the session will be started with, sorted by key, and who set it.

    ``submit`` is what ``submit_conf`` found; ``java_options`` are the platform's own, which like its jars are added to
    those of the other layers rather than put in their place.
    """
    submitted = _heard(submit or {}, settings)
    master = settings.platform.get("spark.master") or settings.master or submitted.get("spark.master", DEFAULT_MASTER)
    last = {**settings.stores.conf, **settings.platform, **FORCED, **(_FORCED_LOCAL if is_local(master) else {})}
    last |= {"spark.app.name": settings.app_name, "spark.master": master}
    first = _DEFAULTS
    if settings.event_log is not None:
        first, last = {**_DEFAULTS, **SWITCH}, {**last, **event_settings(settings.event_log)}
    layers: tuple[tuple[Layer, Mapping[str, str]], ...] = (
        ("platform", first),
        ("spark-submit", submitted),
        ("team", _heard(settings.team_conf, settings)),
        ("author", _heard(settings.conf, settings)),
        ("platform", last),
    )
    stores = settings.stores
    added = {
        JAVA_OPTIONS: (" ", (*java_options, *stores.java_options)),
        EXECUTOR_OPTIONS: (" ", (*_short(settings, master), *stores.java_options)),
        JARS: (",", _jar_uris(stores)),
    }
    keys = sorted({key for _, conf in layers for key in conf} | {key for key, (_, more) in added.items() if more})
    return tuple(_setting(key, layers, *added.get(key, ("", ()))) for key in keys)


def left_out(settings: SessionSettings, submit: Mapping[str, str]) -> tuple[str, ...]:
    """The keys of ``submit``, of the image and its environment, that are not heard."""
    return tuple(sorted(submit.keys() - _heard(submit, settings)))


def _heard(conf: Mapping[str, str], settings: SessionSettings) -> Mapping[str, str]:
    """All of ``conf``; where a platform speaks, what an author might say of other things than sizes."""
    if not settings.platform:
        return conf
    return {key: value for key, value in heard(conf).items() if key not in _LARGER}


def _short(settings: SessionSettings, master: str) -> tuple[str, ...]:
    """Executors that are processes of their own start as quickly as their driver."""
    return SHORT_JOB if settings.short_job and not is_local(master) else ()


def _jar_uris(stores: StoreAccess) -> tuple[str, ...]:
    """``local:``: every process of the session finds them under the same path, so the driver need not serve them."""
    return tuple(f"local:{path}" for path in stores.jars)


def _setting(key: str, layers: Sequence[tuple[Layer, Mapping[str, str]]], joint: str, more: Sequence[str]) -> Setting:
    """What the nearest layer says; the platform's ``more`` is added to it, joined by ``joint``."""
    said = [(layer, conf[key]) for layer, conf in reversed(layers) if key in conf]
    if more:
        others = said[0][1] if said else ""
        return Setting(key, joint.join([*([others] if others else []), *more]), "platform", tuple(said))
    (layer, value), *over = said
    return Setting(key, value, layer, tuple(over))


def is_local(master: str) -> bool:
    return master.startswith("local")


def submit_conf(environ: Mapping[str, str], spark_home: Path) -> dict[str, str]:
    """What ``spark-submit`` itself would bring: its defaults file, then ``PYSPARK_SUBMIT_ARGS``.

    Raises: ConfigError for arguments that cannot be read.
    """
    folder = Path(environ.get("SPARK_CONF_DIR") or spark_home / "conf")
    return {**_properties(folder / "spark-defaults.conf"), **submit_arguments(environ).conf}


def submit_arguments(environ: Mapping[str, str]) -> SubmitArguments:
    """``PYSPARK_SUBMIT_ARGS`` of ``environ``. Raises: ConfigError, naming the argument."""
    text = environ.get("PYSPARK_SUBMIT_ARGS", "")
    try:
        words = iter(shlex.split(text))
    except ValueError as error:
        raise _unreadable(text, f"quotes do not match: {error}") from error
    conf: dict[str, str] = {}
    rest: list[str] = []
    for word in words:
        conf.update(_argument(word, words, rest, text))
    return SubmitArguments(conf, tuple(rest))


def _argument(word: str, following: Iterator[str], rest: list[str], text: str) -> Mapping[str, str]:
    """The settings that one argument means; what is no setting is added to ``rest``."""
    flag, glued, value = word.partition("=") if word.startswith("--") else (word, "", "")
    takes_value = flag in _FLAGS or flag in ("--conf", "-c", "--properties-file")
    if not takes_value:
        rest += [word] if word != _SHELL else []
        return {}
    value = value if glued else next(following, "")
    if not value:
        raise _unreadable(text, f"{flag} lacks its value")
    if flag == "--properties-file":
        return _properties(Path(value))
    if flag in _FLAGS:
        return {_FLAGS[flag]: value}
    key, given, setting = value.partition("=")
    if not given:
        raise _unreadable(text, f"{flag} {value} is not KEY=VALUE")
    return {key.strip(): setting}


def _unreadable(text: str, why: str) -> ConfigError:
    return ConfigError(
        "PYSPARK_SUBMIT_ARGS cannot be read",
        got=text,
        expected="spark-submit's arguments, for example: --conf spark.driver.memory=2g pyspark-shell",
        details=[why],
        next_step="mend the variable, or unset it",
    )


def _properties(path: Path) -> dict[str, str]:
    """A Spark properties file: ``key value`` or ``key=value`` a line; an absent file is an empty one."""
    if not path.is_file():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    pairs = (re.split(r"\s*[=\s]\s*", line, maxsplit=1) for line in lines if line and not line.startswith("#"))
    return {pair[0]: pair[1] if len(pair) > 1 else "" for pair in pairs}

"""What is broken on this machine and in this workspace, with the fix of each. Every probe is a question with values in.

A probe that cannot be asked because an earlier one failed is left out: one cause, one line.
"""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, requires, version
from pathlib import Path
from typing import Any, Final, Literal

from framework.cli.plugins import installed_plugins
from framework.errors import SetupError, TeamsparkError
from framework.jars.catalog import load_catalog
from framework.jars.place import jars_home, missing
from framework.java import find_java
from framework.sources import load_sources
from framework.storage.base import Store
from framework.storage.lifecycle import BucketFacts, harms, wastes
from framework.storage.mounts import DEMANDED, Mount, is_network, mount_of, read_mounts, wrong_options
from framework.storage.selftest import self_test
from framework.tenancy.places import BucketStore, EfsStore, key_prefix
from framework.world import World

Verdict = Literal["ok", "note", "broken"]
DISTRIBUTION: Final = "teamspark"
PYTHON: Final = (3, 11)
ANEW: Final = "make the environment anew: rm -rf .venv && make setup"
_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)\s*==\s*([^;,\s]+)")
_SPARK_VERSION: Final = re.compile(r"__version__\s*(?::\s*str\s*)?=\s*[\"']([^\"']+)")
CLASSIC, CLIENT = "pyspark", "pyspark-client"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The answer to one question. ``fix`` is the one thing to do; a note needs nothing done."""

    probe: str
    verdict: Verdict
    told: str
    fix: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"probe": self.probe, "verdict": self.verdict, "told": self.told, "fix": self.fix}


@dataclass(frozen=True)
class Machine:
    """What the probes look at. Tests build one; ``of_this_process`` reads the real one."""

    python: tuple[int, int]
    environ: Mapping[str, str]
    versions: Mapping[str, str]
    pins: Mapping[str, str]
    spark_home: Path | None
    commands: tuple[EntryPoint, ...] | None = None
    policies: tuple[str, ...] = ()

    @classmethod
    def of_this_process(cls, environ: Mapping[str, str]) -> "Machine":
        pins = {pin[1]: pin[2] for line in requires(DISTRIBUTION) or () if (pin := _PIN.match(line))}
        versions = {name: found for name in {*pins, CLASSIC, CLIENT} if (found := _version(name))}
        spec = importlib.util.find_spec("pyspark")
        home = Path(spec.origin).parent if spec and spec.origin else None
        policies = tuple(one.value for one in entry_points(group="airflow.policy"))
        return cls(sys.version_info[:2], environ, versions, pins, home, policies=policies)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def diagnose(machine: Machine, workspace: Path, local: Store, team_files: Path | None = None) -> Iterator[Diagnosis]:
    """Everything, in the order in which it should be mended."""
    yield probe_python(machine)
    packages = tuple(probe_packages(machine))
    yield from packages
    java = probe_java(machine)
    yield java
    yield probe_submit(machine)
    whole = CLASSIC in machine.versions and not broken((*packages, java))
    if whole and machine.spark_home is not None:
        from framework.spark.archive import archive_home

        yield probe_archive(machine, machine.spark_home, archive_home())
        yield probe_jars(jars_home())
    yield from probe_commands(machine)
    yield from probe_teams(workspace, local, team_files)


def probe_python(machine: Machine) -> Diagnosis:
    told = ".".join(map(str, machine.python))
    if machine.python == PYTHON:
        return Diagnosis("python", "ok", told)
    wanted = ".".join(map(str, PYTHON))
    return Diagnosis("python", "broken", f"{told}, not {wanted}", f"make setup PYTHON=/path/to/python{wanted}")


def probe_packages(machine: Machine) -> Iterator[Diagnosis]:
    """Spark's packages, then every package that this project needs in exactly one version."""
    yield from _spark_packages(machine)
    for name, wanted in sorted(machine.pins.items()):
        found = machine.versions.get(name)
        if found is not None and found != wanted:
            yield Diagnosis(f"package {name}", "broken", f"{found} installed, {wanted} needed", ANEW)


def _spark_packages(machine: Machine) -> Iterator[Diagnosis]:
    classic, client = machine.versions.get(CLASSIC), machine.versions.get(CLIENT)
    if classic is None:
        have = "only pyspark-client: jobs cannot run in this environment" if client else "pyspark is not installed"
        fix = "pip install 'teamspark[jobs]', in an environment without Airflow if you keep the two apart"
        yield Diagnosis("pyspark", "note" if client else "broken", have, None if client else fix)
        return
    if client is not None and client != classic:
        # Both install files below pyspark/: whichever came last has overwritten the other's.
        yield Diagnosis("pyspark", "broken", f"pyspark {classic} and pyspark-client {client} share their files", ANEW)
        return
    torn = _torn(machine.spark_home, classic)
    if torn:
        yield Diagnosis("pyspark", "broken", torn, ANEW)
        return
    yield Diagnosis("pyspark", "ok", f"{classic}{' with pyspark-client' if client else ''}")


def _torn(home: Path | None, expected: str) -> str | None:
    """What is missing of an installed pyspark: uninstalling pyspark-client takes shared files with it."""
    if home is None or not (home / "version.py").is_file():
        return f"pyspark {expected} is listed as installed, but its files are gone"
    if not any((home / "jars").glob("spark-core_*.jar")):
        return f"pyspark {expected} lacks Spark's jars"
    found = _SPARK_VERSION.search((home / "version.py").read_text(encoding="utf-8"))
    if found and found[1] != expected:
        return f"the files of pyspark are {found[1]}, {expected} is listed as installed"
    return None


def probe_java(machine: Machine) -> Diagnosis:
    try:
        java = find_java(machine.environ)
    except SetupError as error:
        seen = "; ".join([str(error.got)] if error.got else error.details)
        return Diagnosis("java", "broken", f"{error.what}: {seen}", (error.next_step or "").removeprefix("run: "))
    told = f"{java.version} from {java.source} ({java.home})"
    if java.skipped:
        return Diagnosis("java", "note", f"{told}; passed over: {'; '.join(java.skipped)}")
    return Diagnosis("java", "ok", told)


def probe_submit(machine: Machine) -> Diagnosis:
    """Spark's own settings from outside: they are honoured below the platform's, so they should be known."""
    from framework.spark.settings import submit_conf

    try:
        conf = submit_conf(machine.environ, machine.spark_home or Path("/nonexistent"))
    except TeamsparkError as error:
        return Diagnosis("spark settings", "broken", f"{error.what}: {'; '.join(error.details)}", error.next_step)
    if conf:
        told = f"{len(conf)} from spark-defaults.conf or PYSPARK_SUBMIT_ARGS: {', '.join(sorted(conf)[:5])}"
        return Diagnosis("spark settings", "note", told)
    return Diagnosis("spark settings", "ok", "none from outside")


def probe_archive(machine: Machine, spark_home: Path, directory: Path) -> Diagnosis:
    """The class-data archive for the settings of a plain run: there, to be built, or given up."""
    from framework.spark.archive import find_archive, fingerprint

    wanted = fingerprint(find_java(machine.environ), spark_home)
    archive = find_archive(directory, wanted)
    if archive is not None:
        return Diagnosis("class-data archive", "ok", str(archive))
    marker = directory / f"{wanted.stem}.ignored"
    if marker.is_file() and marker.read_text(encoding="utf-8").strip() not in {"0", "1"}:
        return Diagnosis(
            "class-data archive",
            "broken",
            "it was of no use twice, so Spark starts slowly without one",
            f"take Java options and files in SPARK_CONF_DIR away, then delete {marker}",
        )
    return Diagnosis("class-data archive", "note", "not there yet: the next run builds it, once, in about 40 s")


def probe_jars(home: Path) -> Diagnosis:
    """The jars for stores, tables and caches, by name and size: whole sets, and what was cut short or is another."""
    absent = {one: missing(home, one) for one in load_catalog().values()}
    other = [home / one.name / jar.file for one, jars in absent.items() for jar in jars]
    spoilt = [path for path in other if path.exists()]
    if spoilt:
        told = f"{len(spoilt)} file(s) are not the pinned jars: {spoilt[0]}"
        return Diagnosis("jars", "broken", told, "teamspark jars sync")
    whole = [one.name for one, jars in absent.items() if not jars]
    if len(whole) == len(absent):
        return Diagnosis("jars", "ok", f"{', '.join(whole)} in {home}")
    parts = ", ".join(one.name for one, jars in absent.items() if jars)
    told = f"{', '.join(whole) or 'none'} there; {parts}: fetched when first needed, or by teamspark jars sync"
    return Diagnosis("jars", "note", told)


def probe_commands(machine: Machine) -> Iterator[Diagnosis]:
    """Sub-commands of other rooms, and Airflow's policy, which nobody else would miss."""
    for plugin in installed_plugins(machine.commands):
        try:
            plugin.load()
        except SetupError as error:
            yield Diagnosis(f"command {plugin.name}", "broken", f"{error.where}: {error.got}", error.next_step)
        else:
            yield Diagnosis(f"command {plugin.name}", "ok", plugin.entry.value)
    if "apache-airflow" in machine.versions:
        ours = [value for value in machine.policies if value.startswith("airflow_bindings")]
        if ours:
            yield Diagnosis("airflow policy", "ok", ours[0])
        else:
            told = "Airflow is installed, and no policy keeps the teams' DAGs apart"
            yield Diagnosis("airflow policy", "broken", told, "install teamspark here again: make setup")


def probe_teams(workspace: Path, local: Store, team_files: Path | None = None) -> Iterator[Diagnosis]:
    """Team files, then each team's sources and store."""
    try:
        world = World.of(workspace, team_files)
    except TeamsparkError as error:
        for line in error.details or (error.what,):
            yield Diagnosis("team files", "broken", line, error.next_step)
        return
    names = sorted(world.teams.by_name)
    if not names:
        yield Diagnosis("team files", "broken", f"none in {workspace}", "teamspark new team <name> --owner <address>")
        return
    loose = tuple(world.teams.loose_grants())
    for line in loose:
        yield Diagnosis("team files", "broken", line, "mend the name, or take the grant out")
    if not loose:
        yield Diagnosis("team files", "ok", ", ".join(names))
    yield _told("this machine's store", partial(_store_facts, next(iter(names), "any"), lambda: local))
    for name in names:
        yield _told(f"sources of {name}", partial(_source_facts, name))
        yield _told(f"store of {name}", partial(_store_facts, name, partial(world.store, name)))
        place = world.teams.team(name).store
        if isinstance(place, EfsStore):
            yield probe_mount(name, Path(place.root), read_mounts())
        if isinstance(place, BucketStore):
            yield probe_bucket(name, key_prefix(place, name), partial(world.bucket_facts, name))


def probe_mount(team: str, root: Path, mounts: Iterable[Mount]) -> Diagnosis:
    """How the team's network file system is mounted, if it is one."""
    probe, mount = f"mount of {team}", mount_of(root.resolve(), mounts)
    if mount is None or not is_network(mount):
        there = "unknown" if mount is None else f"{mount.kind} at {mount.point}"
        return Diagnosis(
            probe, "note", f"{root} is no network file system here, but {there}: other machines see none of it"
        )
    wrong = wrong_options(mount)
    if wrong:
        return Diagnosis(probe, "broken", f"{mount.point}: {'; '.join(wrong)}", f"mount it anew with -o {DEMANDED}")
    return Diagnosis(probe, "ok", f"{mount.kind} {mount.source} at {mount.point}")


def probe_bucket(team: str, prefix: str, ask: Callable[[], BucketFacts]) -> Diagnosis:
    """What the bucket's own rules do below ``prefix``; a note where this identity may not ask."""
    probe, fix = f"bucket of {team}", f"teamspark store rules {team}"
    try:
        facts = ask()
    except TeamsparkError as error:
        return Diagnosis(probe, "note", f"its versions and rules are not known: {error.what} ({error.got})")
    if harm := tuple(harms(facts, prefix)):
        return Diagnosis(probe, "broken", "; ".join(harm), f"take that rule away; {fix} says which ones it may have")
    if waste := tuple(wastes(facts, prefix)):
        return Diagnosis(probe, "note", f"{'; '.join(waste)}: {fix} prints a rule")
    kept = "versions are kept for a while" if facts.versioned else "no versions are kept"
    return Diagnosis(probe, "ok", f"{kept}, parts of uploads are removed, nothing else is")


def _told(probe: str, ask: Callable[[], str]) -> Diagnosis:
    try:
        return Diagnosis(probe, "ok", ask())
    except TeamsparkError as error:
        facts = [f"{error.where}"] if error.where else []
        told = ": ".join([*facts, error.what, *([str(error.got)] if error.got else [])])
        return Diagnosis(probe, "broken", "; ".join([told, *error.details]), error.next_step or "mend that file")


def _source_facts(team: str) -> str:
    return ", ".join(sorted(load_sources(team))) or "none declared"


def _store_facts(team: str, find: Callable[[], Store]) -> str:
    store = find()
    self_test(store, team)
    return f"{store.kind} {store.root}: of racing writers one wins"


def broken(found: Iterable[Diagnosis]) -> tuple[Diagnosis, ...]:
    """Those that need something done."""
    return tuple(one for one in found if one.verdict == "broken")

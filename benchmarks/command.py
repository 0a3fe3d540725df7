"""``teamspark bench``: questions that need servers of their own, asked from the command line."""

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final

import typer

from framework.cli.show import remark, say
from framework.errors import ConfigError

RESULTS: Final = Path(__file__).parent / "results"

app = typer.Typer(help="Measure, and write the answers down.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure, and write the answers down."""


@app.command(name="hot-cold")
def hot_cold(
    size: Annotated[str, typer.Option(help="About 128 MiB, 1 GiB or 4 GiB of Parquet: S, M, L.")] = "S",
    profile: Annotated[str, typer.Option(help="What the object store is like: lan, region.")] = "region",
    small: Annotated[bool, typer.Option("--small", help="One query, few rounds; nothing is written.")] = False,
    out: Annotated[Path, typer.Option(help="The folder of the answers.")] = RESULTS,
) -> None:
    """Read the same Parquet hot through Alluxio, cold through it, from S3A, and from this machine's page cache."""
    from benchmarks.hotcold import report
    from benchmarks.hotcold.asking import Asking, Plan
    from benchmarks.hotcold.place import SIZES, prepared
    from benchmarks.hotcold.profiles import NAMES, Profile
    from benchmarks.hotcold.reading import Reader

    _require(size, "size", tuple(SIZES))
    _require(profile, "profile", NAMES)
    chosen = Profile.named(profile)
    with prepared(size, chosen) as place:
        faults = place.measured.faults(chosen)
        for fault in faults:
            remark(f"void: {fault}")
        if faults:
            raise typer.Exit(65)
        plan = Plan(("Q6",), rounds=3, warm_up=1, changes=False) if small else Plan()
        answers = []
        for answer in Asking(place, Reader(place), plan, slow=chosen.first_byte_s > 0).answers():
            answers.append(answer)
            for variant in answer.seconds:
                if variant != answer.base:
                    say(f"{answer.question}: {variant} {answer.ratio(variant)} {answer.verdict(variant)}")
        facts = {
            "size": size,
            "profile": profile,
            "bytes of Parquet": place.bytes,
            "first byte, ms": round(place.measured.first_byte_s * 1000, 1),
            "one connection, MB/s": round(place.measured.connection_rate / 1e6, 1),
            "sixteen connections, MB/s": round(place.measured.total_rate / 1e6, 1),
            "versions": f"Python {platform.python_version()}, pyspark {version('pyspark')}, Alluxio {_alluxio()}",
            "machine": f"{platform.machine()}, local[2]",
        }
    if not small:
        stem = out / f"hot_cold_{size.lower()}_{profile}"
        stem.with_suffix(".json").write_text(json.dumps(report.to_json(answers, facts), indent=1) + "\n")
        stem.with_suffix(".md").write_text(report.to_markdown(answers, facts))
        stem.with_suffix(".html").write_text(report.to_page(answers, facts))


def _alluxio() -> str:
    """The version of the locked client, which is the servers' too."""
    from framework.jars.catalog import load_catalog

    (client,) = load_catalog()["alluxio-client"].jars
    return client.coordinate.version


def _require(value: str, name: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ConfigError(f"no such {name}", got=value, expected=f"one of {', '.join(known)}")

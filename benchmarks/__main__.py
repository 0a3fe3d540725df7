"""``python -m benchmarks [--small] [NAME ...]``: ask, print, and write ``benchmarks/results``."""

import argparse
import json
import platform
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

from benchmarks.pairs import Answer

NAMES: Final = (
    "imports",
    "parse",
    "publish",
    "publish_s3",
    "cold_start",
    "overhead",
    "checks",
    "pods",
    "steps",
    "handover",
    "copies",
)
RESULTS: Final = Path(__file__).parent / "results"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], help="which questions; all without a name")
    parser.add_argument("--small", action="store_true", help="fewer rounds and less data; nothing is written")
    arguments = parser.parse_args()
    for name in arguments.names or NAMES:
        answers = import_module(f"benchmarks.{name}").ask(small=arguments.small)
        for answer in answers:
            _tell(answer)
        if answers and not arguments.small:
            _write(name, answers)


def _tell(answer: Answer) -> None:
    print(answer.question)
    for variant in answer.seconds:
        if variant != answer.base:
            bound = f", at most {answer.bounds[variant]}: {answer.verdict(variant)}" if variant in answer.bounds else ""
            print(f"  {variant}: {answer.ratio(variant)}{bound}")
    for note in answer.notes:
        print(f"  {note}")
    sys.stdout.flush()


def _write(name: str, answers: tuple[Answer, ...]) -> None:
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    text = json.dumps({"machine": machine, "answers": [answer.to_json() for answer in answers]}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n")


if __name__ == "__main__":
    main()

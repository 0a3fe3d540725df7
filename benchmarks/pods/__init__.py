"""What does a run as pods cost, on a real node of this machine?

* From the creation of a driver's pod to the first task of its one executor, over a plain pod that runs the same script with
  settings written by hand, and over ``spark-submit --deploy-mode cluster`` of that script.
* From there to the session, with the class-data archive of the image and without it.
* Requests to the API server for each of fifty submissions at one time.
* What is left of two hundred launches that were killed at any moment.

In small the last two are asked, with few launches of a tiny image. Without root or containerd nothing is.
"""

import os

from benchmarks.pairs import Answer
from framework.errors import SetupError
from k8s.local.binaries import ARCHIVE, are_there
from k8s.local.node.making import require_programs


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Nothing where there can be no node; why is printed."""
    if not is_possible("pods"):
        return ()
    from benchmarks.pods.crowd import crowd
    from benchmarks.pods.first_task import first_tasks
    from benchmarks.pods.orphans import orphans
    from benchmarks.pods.place import prepared

    with prepared(whole=not small) as place:
        first = () if small else first_tasks(place)
        return (*first, crowd(place, 5 if small else 50), orphans(place, 3 if small else 200))


def is_possible(question: str) -> bool:
    """Whether there can be a node; what is missing is printed."""
    if reason := _missing():
        print(f"{question}: not asked, since {reason}")
    return not reason


def _missing() -> str:
    try:
        require_programs()
    except SetupError as error:
        return str(error).splitlines()[0]
    if not are_there(os.environ) and ARCHIVE not in os.environ:
        return f"Kubernetes is not on this machine: make kubernetes, or {ARCHIVE}"
    return ""

"""One hand-off in a process of its own: ``python -m benchmarks.handover.one ORDER``. Prints what came of it, as JSON.

Clients, sessions and the first task's start are there before it begins; so are the files, written as a program leaves them:
not flushed. Nothing else is dirty, so that none pays for what another left behind.
"""

import os
import shutil
import sys
import time
from contextlib import ExitStack
from importlib import import_module
from typing import Final

from benchmarks.handover.memory import AT_MOST, NOW, resident
from benchmarks.handover.order import Clock, Done, Order, Subject

SUBJECTS: Final = {
    "copy": "ours:copied",
    "volume": "ours:moved",
    "uri": "ours:named",
    "boto3, in parts": "peers:by_parts",
    "boto3, one by one": "peers:one_by_one",
    "one HTTP stream": "peers:one_stream",
    "disk alone": "peers:disk_alone",
    "boto3, of rows": "peers:rows_by_parts",
    "two Spark tasks": "spark:in_session",
}


def main(order: Order) -> Done:
    module, _, name = SUBJECTS[order.subject].partition(":")
    subject: Subject = getattr(import_module(f"benchmarks.handover.{module}"), name)
    with ExitStack() as undo:
        handing = subject(order, undo)
        start_s = time.time() - order.spawned
        _leave_files(order)
        before, clock = resident(NOW), Clock()
        rows = handing(clock)
        seconds = clock.end()
        if rows != order.rows:
            raise AssertionError(f"{order.subject}: {rows} rows were read of {order.rows}")
        return Done(seconds, clock.parts, start_s, before, clock.peaks, resident(AT_MOST))


def _leave_files(order: Order) -> None:
    os.sync()
    order.left.mkdir(parents=True, exist_ok=True)
    for number in range(order.files):
        shutil.copyfile(order.template, order.left / f"part-{number}.parquet")


if __name__ == "__main__":
    print(main(Order.of_json(sys.argv[1])).to_json())

"""How long is it from the end of one task's writing until the next has read it all, durable in between?

Parquet that does not compress, 16 MiB in one file, 128 MiB in 4, 1 GiB in 8. The clock starts when the first task's files are
on its disk, written and not flushed, and stops when the second has decoded every column. Each hand-off has a process and a
bucket of its own; what is needed beforehand is there: clients, an open session, the first task's own start.

* Ours, all with checks from footers, a claim and a manifest: ``copy`` through a bucket; ``volume``, a file system that
  programs and store share, here the disk; ``uri``, where the programs open the bucket themselves, by pyarrow.
* Beside them what one would write by hand, without a manifest or checks: ``boto3, in parts``, its transfer manager with ten
  requests at a time, and ``boto3, one by one``, whole files in memory.
* What the machine can do at all: ``disk alone`` flushes the files and reads them back; ``one HTTP stream`` carries the bytes there
  and back. In ``region`` that limit is the profile's own, and is told in a note.
* Two Spark tasks, by the framework's way of a run in a session that is open, over ``boto3, of rows``, which decodes and encodes the
  rows first as Spark has to; and both with their starts, which are measured once and counted twice, since two tasks are two
  processes. That is kind to Spark: the second task has the first one's warm JVM. In ``region`` only.

Profiles are those of ``benchmarks.hotcold``; the store is measured first, and where it is not what its profile says nothing is asked.
SeaweedFS answers before its disk has the bytes: in a bucket, durable is what the server says. It runs on the same cores.

In small 4 MiB are handed over once; in ``region`` by fewer subjects. The store is not measured.
"""

from benchmarks.pairs import Answer


def ask(*, small: bool) -> tuple[Answer, ...]:
    """Raises: SetupError, ServerFailed."""
    from benchmarks.handover.asking import FEW, WHOLE, asked

    return tuple(answer for plan in (FEW if small else WHOLE) for answer in asked(plan))

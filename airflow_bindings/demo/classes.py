"""Builds Spark's class-data archive ahead of the first run: ``python -m airflow_bindings.demo.classes WORKSPACE``.

A process of its own, so that it works beside the start of Airflow and can be ended with it.
"""

import os
import sys
from pathlib import Path


def main() -> None:
    from framework.driver import ARCHIVES
    from framework.spark.session import prepare
    from framework.spark.settings import SessionSettings

    prepare(SessionSettings("archive", archive_dir=Path(sys.argv[1]) / ARCHIVES), os.environ, notice=print)


if __name__ == "__main__":
    main()

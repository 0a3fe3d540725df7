"""Builds Spark's class-data archive ahead of the first run: ``python -m airflow_bindings.demo.classes``.

A process of its own, so that it works beside the start of Airflow and can be ended with it.
"""

import os


def main() -> None:
    from framework.spark.archive import archive_home
    from framework.spark.session import prepare
    from framework.spark.settings import SessionSettings

    prepare(SessionSettings("archive", archive_dir=archive_home()), os.environ, notice=print)


if __name__ == "__main__":
    main()

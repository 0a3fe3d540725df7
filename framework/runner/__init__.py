"""Running a plan: inputs become frames, the author's transform makes outputs of them, the outputs are published.

``flow`` is the order of things, ``reading`` and ``writing`` are its two ends. No path is joined here, no Spark setting
chosen, nothing known of Airflow.
"""

from framework.runner.flow import PHASES, RunOptions, execute

__all__ = ["PHASES", "RunOptions", "execute"]

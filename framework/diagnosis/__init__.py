"""What ended a run, in one verdict: pure, from what was seen of it.

Belongs here: the records of what may be seen (``evidence``), the tables that tell causes apart (``signs`` in texts, ``ends`` of
processes, ``remedies``: what to change), and the one function that decides between them (``verdict``). Does not belong
here: getting the evidence, which a driver, a launcher and a task each do in their place, and telling the verdict.
"""

from framework.diagnosis.evidence import Diagnosis, End, Evidence, Reason, Side, Where
from framework.diagnosis.verdict import diagnose

__all__ = ["Diagnosis", "End", "Evidence", "Reason", "Side", "Where", "diagnose"]

"""What a job is: a class whose ``transform`` signature says what goes in and what comes out.

``model`` is the class, ``ports`` the words of a signature, ``run`` what a transform may know about its run,
``signature`` reads it all into the record of ``contract``, ``load`` finds a job by its name. Nothing here does I/O
(``load`` imports the author's module), and nothing imports pyspark.
"""

from framework.job.contract import Injected, JobContract, split_outputs
from framework.job.load import jobs_in, load_job
from framework.job.model import Contract, Job, build_job, job_name
from framework.job.ports import (
    NO_ROWS,
    NO_TABLE,
    UNTYPED,
    Files,
    Frame,
    Input,
    InputPort,
    Output,
    OutputPort,
    Source,
    Table,
    other_kind,
)
from framework.job.run import Run
from framework.job.signature import Signature, contract_of, signature_of

__all__ = [
    "NO_ROWS",
    "NO_TABLE",
    "UNTYPED",
    "Contract",
    "Files",
    "Frame",
    "Injected",
    "Input",
    "InputPort",
    "Job",
    "JobContract",
    "Output",
    "OutputPort",
    "Run",
    "Signature",
    "Source",
    "Table",
    "build_job",
    "contract_of",
    "job_name",
    "jobs_in",
    "load_job",
    "other_kind",
    "signature_of",
    "split_outputs",
]

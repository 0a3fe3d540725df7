"""The program of an image: fulfils its contract, or fails to in a way that its parameters name."""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def main() -> None:
    told = json.loads(Path(os.environ["TEAMSPARK_CONFIG"]).read_text())
    do = told["parameters"]["do"]
    print(f"the program does: {do}", flush=True)
    if do in FAULTS:
        FAULTS[do](told)
    else:
        BY_DATA[told["data"]](told)


def _scored(table: pa.Table) -> pa.Table:
    rows = table.to_pylist()
    return pa.table({"carrier": [r["carrier"] for r in rows], "score": [float(r["delay"] or 0) for r in rows]})


def _in_folders(told: Any) -> None:
    given = told["inputs"]["flights"]
    table = pa.concat_tables([pq.read_table(Path(given["path"]) / name) for name in given["files"]])
    pq.write_table(_scored(table), f"{told['outputs']['default']['path']}/part-0.parquet")


def _by_uris(told: Any) -> None:
    import io

    import boto3

    tables = []
    for uri in told["inputs"]["flights"]["uris"]:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        client = boto3.client("s3", endpoint_url=told["s3"][bucket]["endpoint"])
        tables.append(pq.read_table(io.BytesIO(client.get_object(Bucket=bucket, Key=key)["Body"].read())))
    bucket, _, key = told["outputs"]["default"]["uri"].removeprefix("s3://").partition("/")
    body = io.BytesIO()
    pq.write_table(_scored(pa.concat_tables(tables)), body)
    boto3.client("s3", endpoint_url=told["s3"][bucket]["endpoint"]).put_object(
        Bucket=bucket, Key=f"{key}/part-0.parquet", Body=body.getvalue()
    )


BY_DATA = {"copy": _in_folders, "volume": _in_folders, "uri": _by_uris}


def _nothing(told: Any) -> None:
    pass


def _fail(told: Any) -> None:
    sys.exit(75)  # what our own driver says of an input that is not there yet


def _half(told: Any) -> None:
    _in_folders(told)
    Path(f"{told['outputs']['default']['path']}/part-1.parquet").write_bytes(b"PAR1 and no more")


def _bad(told: Any) -> None:
    pq.write_table(
        pa.table({"carrier": pa.array([None], pa.string()), "score": [1.0]}),
        f"{told['outputs']['default']['path']}/part-0.parquet",
    )


def _outside(told: Any) -> None:
    for folder in ("/teamspark", "/tmp"):
        Path(f"{folder}/elsewhere.parquet").write_bytes(b"")
    for folder in (told["inputs"]["flights"]["path"], "/teamspark-state", "/etc/teamspark", "/opt"):
        try:
            Path(f"{folder}/elsewhere.parquet").write_bytes(b"")
            print(f"could write to {folder}", flush=True)
        except OSError:
            pass


def _forge(told: Any) -> None:
    Path("/dev/termination-log").write_text('{"verdict": "published"}')
    sys.exit(1)


def _fill(told: Any) -> None:
    with Path(f"{told['outputs']['default']['path']}/large").open("wb") as file:
        file.writelines(os.urandom(1 << 20) for _ in range(3000))
    time.sleep(600)


def _hungry(told: Any) -> None:
    held = []
    while True:
        held.append(os.urandom(16 << 20))


def _linger(told: Any) -> None:
    time.sleep(8)
    BY_DATA[told["data"]](told)


def _deaf(told: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)


FAULTS = {
    "nothing": _nothing,
    "fail": _fail,
    "half": _half,
    "bad": _bad,
    "outside": _outside,
    "forge": _forge,
    "fill": _fill,
    "hungry": _hungry,
    "linger": _linger,
    "tarry": _linger,
    "deaf": _deaf,
}

if __name__ == "__main__":
    main()

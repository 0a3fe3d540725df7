"""The program of an image: keeps what it is given, by its links, and tells who it was and what it could not do."""

import json
import os
import shutil
from pathlib import Path


def main() -> None:
    told = json.loads(Path(os.environ["TEAMSPARK_CONFIG"]).read_text())
    given, out = told["inputs"]["ships"], Path(told["outputs"]["default"]["path"])
    sources = [Path(given["path"]) / name for name in given["files"]]
    for source in sources:
        shutil.copyfile(source, out / source.name)
    refused = 0
    for source in sources:
        try:
            source.resolve().with_name("part-mine.parquet").write_bytes(b"")
        except OSError:
            refused += 1
    links = all(source.is_symlink() for source in sources)
    facts = {"user": f"{os.getuid()}:{os.getgid()}", "links": links, "refused": refused == len(sources)}
    (out / "told.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()

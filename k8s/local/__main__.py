"""``python -m k8s.local``: have Kubernetes' programs on this machine, and say where they are."""

import os
import sys

from framework.errors import TeamsparkError
from k8s.local.binaries import ensure_binaries


def main() -> int:
    try:
        print(ensure_binaries(os.environ, print))
    except TeamsparkError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

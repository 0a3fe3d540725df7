"""``python -m k8s.local.network``: enforce NetworkPolicy in this network namespace, until it is told to go.

It has nothing to undo, so signals end it as they end any program.
"""

import argparse
import logging
import signal
import sys
from pathlib import Path

from framework.errors import TeamsparkError
from k8s.local.network.facts import Node
from k8s.local.network.watching import enforce


def main() -> int:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    logging.basicConfig(format="%(asctime)s %(message)s", level=logging.INFO, stream=sys.stderr)
    told = _arguments().parse_args()
    try:
        enforce(told.kubeconfig, Node(told.pod_cidr, told.address), told.nft, told.given)
    except TeamsparkError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m k8s.local.network", description="Enforces NetworkPolicy here.")
    parser.add_argument(
        "--kubeconfig", type=Path, required=True, help="of who may list and watch policies, pods, namespaces"
    )
    parser.add_argument("--pod-cidr", required=True, help="addresses of the node's pods")
    parser.add_argument("--address", required=True, help="the node's own")
    parser.add_argument("--given", type=Path, help="the folder where what adds pods to the network tells of it")
    parser.add_argument("--nft", type=Path, default=Path("/usr/sbin/nft"))
    return parser


if __name__ == "__main__":
    sys.exit(main())

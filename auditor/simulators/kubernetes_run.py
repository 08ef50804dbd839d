"""The small cluster as a process of its own: for benchmarks, whose clock it must not share, and for trying it by hand.

``python -m auditor.simulators.kubernetes_run --kubeconfig FILE`` writes a configuration for the auditor's account, prints one
line of JSON with the address, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from auditor.simulators.cluster_company import AUDITOR, NARROW, build, large
from auditor.simulators.kubernetes_api import ClusterApi

_PEOPLE = {"auditor": AUDITOR, "narrow": NARROW}


def main(arguments: list[str] | None = None) -> None:
    """Serve Meadowbrook's cluster, with as many further pods as asked for, until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m auditor.simulators.kubernetes_run", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="the file to write")
    parser.add_argument("--as", dest="person", choices=(*_PEOPLE, "admin"), default="auditor", help="whose it is")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--pods", type=int, default=0, help="further pods, for benchmarks")
    parser.add_argument("--managed", action="store_true", help="hide the control plane, as providers do")
    options = parser.parse_args(arguments)
    with ClusterApi(port=options.port) as cluster:
        build(cluster, managed=options.managed)
        if options.pods:
            large(cluster, pods=options.pods)
        account = _PEOPLE.get(options.person)
        cluster.kubeconfig(options.kubeconfig, token=cluster.account_token(*account) if account else None)
        sys.stdout.write(json.dumps({"url": cluster.url, "kubeconfig": str(options.kubeconfig)}) + "\n")
        sys.stdout.flush()
        while os.read(0, 4096):  # whatever ends our parent closes this pipe
            pass


if __name__ == "__main__":
    main()

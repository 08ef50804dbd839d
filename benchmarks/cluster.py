"""A whole cluster scanned by the command: the company's, with many pods more, served by a process of its own over TLS."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.figures import Row, at_most
from benchmarks.processes import ROOT, Process, run

PODS, MANY = 2080, 10_000
WALL, CPU, PEAK, PEAK_OF_MANY = 8.0, 5.0, 250.0, 400.0  # seconds, seconds, MiB, MiB


def scanned(*, quick: bool) -> Iterator[Row]:
    """Wall, CPU and peak of ``auditor scan kubernetes``, and how often the API was asked."""
    pods = 200 if quick else PODS
    with cluster(pods) as kubeconfig:
        run(["-m", "auditor.cli", "list", "checks"])  # definitions are proved once per change, not once per scan
        told = _scan(kubeconfig)
    world = f"{pods:,} pods more than the company's"
    yield at_most(world, "wall", told.wall, WALL, " s")
    yield at_most(world, "CPU", told.cpu, CPU, " s", digits=2)
    yield at_most(world, "peak memory", told.peak / 2**20, PEAK, " MiB", digits=0)
    if quick:
        return
    with cluster(MANY) as kubeconfig:
        told = _scan(kubeconfig)
    world = f"{MANY:,} pods more"
    yield Row(world, "wall", f"{told.wall:,.1f} s")
    yield at_most(world, "peak memory", told.peak / 2**20, PEAK_OF_MANY, " MiB", digits=0)


def _scan(kubeconfig: Path) -> Process:
    out = kubeconfig.with_name("scan.ndjson")
    words = ["scan", "kubernetes", "--kubeconfig", str(kubeconfig), "--format", "ndjson", "--out", str(out)]
    return run(["-m", "auditor.cli", *words, "--allow-partial"])


@contextmanager
def cluster(pods: int) -> Iterator[Path]:
    """A cluster with so many pods beside the company's; gives the kubeconfig of an account that may list everything."""
    with tempfile.TemporaryDirectory(prefix="bench_cluster_") as folder:
        kubeconfig = Path(folder) / "kubeconfig"
        words = ["-m", "auditor.simulators.kubernetes_run", "--kubeconfig", str(kubeconfig), "--pods", str(pods)]
        server = subprocess.Popen(
            [sys.executable, *words], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            json.loads(server.stdout.readline())
            yield kubeconfig
        finally:
            server.communicate(timeout=30)

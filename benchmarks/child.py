"""Run one command and print what it cost as one JSON line: wall, CPU and peak memory of that process alone.

A small process of its own for two reasons. ``wait4`` counts the one child and nothing that runs beside it, such as the
emulator. And a child's peak starts at the size of the process that forked it, so that one must be small: only the
standard library here, and nothing of ours.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main(command: list[str]) -> int:
    """The command's own output goes to standard error, the costs to standard output."""
    started = time.perf_counter()
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
    _, status, usage = os.wait4(pid, 0)
    print(
        json.dumps(
            {
                "exit": os.waitstatus_to_exitcode(status),
                "wall": time.perf_counter() - started,
                "cpu": usage.ru_utime + usage.ru_stime,
                "peak": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

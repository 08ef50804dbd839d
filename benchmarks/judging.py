"""How many judgements one core makes in a second, explanations included."""

from __future__ import annotations

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from typing import Any

from auditor.proof.judge import compile_check, judge

AS_OF = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
DOCUMENT: dict[str, Any] = {
    "name": "records",
    "effective_block": {"acls": True, "policy": True},
    "retention_days": 3,
    "is_replica": False,
    "hidden": {"$unseen": "denied"},
    "created_at": "2026-01-01T00:00:00Z",
    "rules": [{"port": port, "cidr": "10.0.0.0/8"} for port in range(20)],
}
CHECKS: dict[str, dict[str, Any]] = {
    "two flags, pass": {"pass_when": "effective_block.acls and effective_block.policy"},
    "a number against a parameter, fail with its sentence": {
        "pass_when": "retention_days >= params.min_days",
        "params": {"min_days": 7},
        "fail": "{name} keeps {retention_days} days of backups, {params.min_days} are promised",
    },
    "with applies_when, fail": {
        "applies_when": "not is_replica",
        "pass_when": "retention_days >= params.min_days",
        "params": {"min_days": 7},
    },
    "hidden, unknown": {"pass_when": "effective_block.acls and hidden"},
    "whole days": {"pass_when": "days_since(created_at) <= 90"},
    "twenty members": {"pass_when": 'not any(rule.port == 22 and rule.cidr == "0.0.0.0/0" for rule in rules)'},
}


def rate(definition: dict[str, Any], seconds: float) -> float:
    """Judgements per second of CPU time of this process, so that a busy machine does not lower it."""
    check = compile_check({"id": "bench", "resource": "bench", "document_version": 1, **definition})
    done, started = 0, time.process_time()
    while True:
        for _ in range(1000):
            judge(check, DOCUMENT, as_of=AS_OF)
        done += 1000
        spent = time.process_time() - started
        if spent >= seconds:
            return done / spent


def main(arguments: list[str] | None = None) -> int:
    """Rates are printed, one line per kind of check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="CPU seconds for each kind of check")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    options = parser.parse_args(arguments)
    rates = {name: round(rate(definition, options.seconds)) for name, definition in CHECKS.items()}
    if options.json:
        print(json.dumps({"unit": "judgements per CPU second", "rates": rates}))
    else:
        for name, found in rates.items():
            print(f"{found:>10,}/s  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Records of calls: how evidence was asked for and answered, each record committed to in the ledger like evidence.

Enters: the records of a bundle with their index. Leaves: how many calls each holds, so that a line of evidence can be held to
the calls it names. What the calls say is for people, who look up their request ids in the entity's own trail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .bag import Bag
from .entry import commitment
from .reach import telling
from .report import RefusedError
from .segment import Ledger

INDEX = "data/calls/index.jsonl"
KIND = "auditor.calls"


def read_calls(bag: Bag, ledger: Ledger) -> Mapping[str, int]:
    """How many calls each record of the bundle holds, by its digest; none in a bundle from before there were records.

    Raises:
        RefusedError: A record was never put into the ledger, its commitment is of something else, or it is none.
    """
    found: dict[str, int] = {}
    for where, line in bag.objects(INDEX) if INDEX in bag.payload else ():
        with telling(where):
            digest = line["digest"]
            path = f"data/calls/{digest[:2]}/{digest}.json"
            if bag.payload.get(path) != digest:
                raise RefusedError(where, f"the record of calls {digest} is not in the bundle")
            happened = ledger.other(line["evidence"])
            if happened is None or happened.type != "evidence.put":
                raise RefusedError(where, f"the record of calls {line['evidence']} has no entry in the ledger")
            if commitment(bytes.fromhex(line["salt"]), digest) != happened.commit:
                raise RefusedError(
                    where, f"not the record of calls that the ledger committed to (entry {happened.leaf})"
                )
        with telling(path):
            kept = json.loads(bag.read(path))
            if kept["type"] != KIND:
                raise RefusedError(path, f"a record of {kept['type']}, not of calls")
            found[digest] = len(kept["content"]["calls"])
    return found


def hold_calls(line: Mapping[str, Any], calls: Mapping[str, int], where: str) -> None:
    """Hold a line of evidence to the calls it names; it may name none, and said nothing of them in earlier bundles.

    Raises:
        RefusedError: The record is not in the bundle, or has no call of such a number.
    """
    rests_on = line.get("calls")
    if rests_on is None:
        return
    there = calls.get(rests_on["record"])
    if there is None:
        raise RefusedError(where, f"the record of calls {rests_on['record']} is not indexed")
    if not rests_on["numbers"]:
        raise RefusedError(where, "rests on a record of calls, and on no call in it")
    for number in rests_on["numbers"]:
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < there:
            raise RefusedError(where, f"call {number} is not in the record, which holds {there}")

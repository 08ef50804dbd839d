"""Who is named in a resource's policy: accounts by number, organisations by id. What stands open to all is judged elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from auditor.domain.policy import NARROWING, Policy, Statement, parse, positive

ACCOUNT = re.compile(r"\d{12}")
ORGANISATION = re.compile(r"o-[a-z0-9]+")
IN_ARN = re.compile(r"arn:[a-z-]+:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")
ACCOUNT_KEYS = frozenset({"aws:principalaccount", "aws:sourceaccount", "aws:sourceowner", "kms:calleraccount"})
ARN_KEYS = frozenset({"aws:principalarn", "aws:sourcearn"})
ORGANISATION_KEYS = frozenset({"aws:principalorgid", "aws:principalorgpaths", "aws:sourceorgid", "aws:sourceorgpaths"})


def sharers(policy: Policy) -> tuple[str, ...]:
    """The accounts and organisations that the policy's Allow statements let in, sorted; services are none.

    A statement that holds callers to organisations lets in no more than those. One for everybody lets in the accounts that
    its conditions name; without such a condition it names nobody.
    """
    return tuple(sorted({who for statement in parse(policy) if statement.allows for who in _named(statement)}))


def _named(statement: Statement) -> Iterator[str]:
    conditions = list(positive(statement.condition, NARROWING))
    held = [found for key, values in conditions if key in ORGANISATION_KEYS for found in _organisations(values)]
    if held:
        yield from held
    elif statement.for_anyone:
        for key, values in conditions:
            if key in ACCOUNT_KEYS or key in ARN_KEYS:
                yield from (account for value in values for account in _account(value))
    else:
        for kind, who in statement.principals or ():
            if kind == "AWS":
                yield from _account(who)


def _organisations(values: tuple[str, ...]) -> Iterator[str]:
    for value in values:
        found = ORGANISATION.match(value)
        if found is not None:
            yield found[0]


def _account(value: str) -> Iterator[str]:
    if ACCOUNT.fullmatch(value):
        yield value
    else:
        found = IN_ARN.match(value)
        if found is not None:
            yield found[1]

"""Role trust policies: who may become the role, and what each of them must show first.

A policy goes in, four facts leave. A web identity counts as named only if its subject or repository is pinned beyond the
organisation: everyone with an account at the provider can reach the provider itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from auditor.domain.policy import Policy, Statement, condition_narrows, glob, parse, positive

ASSUMING = ("sts:assumerole", "sts:assumerolewithsaml", "sts:assumerolewithwebidentity")
TEXT_OPERATORS = frozenset({"stringequals", "stringequalsignorecase", "stringlike"})
CLUSTER_SUBJECT = "system:serviceaccount:"
ACCOUNT = re.compile(r"(?:arn:[a-z-]+:iam::)?(\d{12})(?::root)?")
PERSON = re.compile(r"arn:[a-z-]+:iam::\d{12}:user/.+")
IN_ARN = re.compile(r"arn:[a-z-]+:(?:iam|sts)::(\d{12}):")
POOLS = "cognito-identity.amazonaws.com"


@dataclass(frozen=True, slots=True)
class Trust:
    """Who may assume a role.

    ``open_to`` names the statements that let in strangers, ``people`` says whether persons may assume it (federation, users,
    account roots), ``accounts`` are those trusted without a condition or external id, ``mfa`` whether all must show one.
    """

    open_to: tuple[str, ...]
    people: bool
    accounts: tuple[str, ...]
    mfa: bool


def trust(policy: Policy) -> Trust:
    """What a trust policy says about those who may become the role; statements that only tag sessions say nothing."""
    doors = [statement for statement in parse(policy) if statement.allows and _assumes(statement)]
    accounts = {account for door in doors if not _guarded(door) for account in _accounts(door)}
    return Trust(
        open_to=tuple(door.name for door in doors if _open(door)),
        people=any(_lets_people_in(door) for door in doors),
        accounts=tuple(sorted(accounts)),
        mfa=bool(doors) and all(_demands_mfa(door) for door in doors),
    )


def _assumes(statement: Statement) -> bool:
    if statement.actions is None:
        named = [pattern.lower() for pattern in statement.not_actions or ()]
        return any(not any(glob(pattern, action) for pattern in named) for action in ASSUMING)
    return any(glob(pattern.lower(), action) for pattern in statement.actions for action in ASSUMING)


def _open(door: Statement) -> bool:
    if door.for_anyone:
        return not condition_narrows(door.condition) and not _pins_subject(door)
    return any(
        kind == "Federated" and _is_web(who) and not _pins_identity(door, who) for kind, who in door.principals or ()
    )


def _is_web(provider: str) -> bool:
    return ":saml-provider/" not in provider


def _pins_identity(door: Statement, provider: str) -> bool:
    if provider == POOLS:  # the audience is an identity pool of one account
        named = [values for key, values in positive(door.condition, TEXT_OPERATORS) if key == f"{POOLS}:aud"]
        if any(values and not any("*" in value for value in values) for values in named):
            return True
    return _pins_subject(door)


def _pins_subject(door: Statement) -> bool:
    return any(values and all(_beyond_organisation(value) for value in values) for values in _subjects(door))


def _subjects(door: Statement) -> Iterator[tuple[str, ...]]:
    for key, values in positive(door.condition, TEXT_OPERATORS):
        if key.endswith((":sub", ":repository")):
            yield values


def _beyond_organisation(subject: str) -> bool:
    """Whether a subject names more than the provider or one of its customers: a repository, project or service account."""
    fixed = re.split(r"[*?]", subject, maxsplit=1)[0]
    if fixed == subject:
        return bool(subject)
    if fixed.startswith(CLUSTER_SUBJECT):
        return ":" in fixed.removeprefix(CLUSTER_SUBJECT)
    if fixed.startswith("organization:"):
        return re.search(r":(?:project|workspace):[^*?:]+", subject) is not None
    return re.match(r"(?:[a-z_]+:)?[^/:]+/[^/]", fixed) is not None


def _lets_people_in(door: Statement) -> bool:
    return door.for_anyone or any(
        (kind == "Federated" and not _is_cluster(door, who))
        or (kind == "AWS" and (ACCOUNT.fullmatch(who) is not None or PERSON.fullmatch(who) is not None))
        for kind, who in door.principals or ()
    )


def _is_cluster(door: Statement, provider: str) -> bool:
    """Service accounts of clusters: the provider says so, or every subject does."""
    if re.search(r"oidc-provider/oidc\.eks\.", provider) is not None:
        return True
    subjects = [value for values in _subjects(door) for value in values]
    return bool(subjects) and all(subject.startswith(CLUSTER_SUBJECT) for subject in subjects)


def _guarded(door: Statement) -> bool:
    external = any(key == "sts:externalid" for key, _ in positive(door.condition, TEXT_OPERATORS))
    return external or condition_narrows(door.condition)


def _accounts(door: Statement) -> Iterator[str]:
    for kind, who in door.principals or ():
        found = (ACCOUNT.fullmatch(who) or IN_ARN.match(who)) if kind == "AWS" else None
        if found is not None and not door.spares:
            yield found[1]


def _demands_mfa(door: Statement) -> bool:
    return any(
        key == "aws:multifactorauthpresent" and [value.lower() for value in values] == ["true"]
        for key, values in positive(door.condition, frozenset({"bool"}))
    )

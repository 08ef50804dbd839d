"""Who may do what in a cluster: roles, bindings and subjects go in, the grants that each subject holds come out.

Read as the API server's own authoriser reads them: a RoleBinding carries a ClusterRole into one namespace only, names narrow,
``*/exec`` is a wildcard and ``pods/*`` is none. Guards one rule: a role that could not be read makes what hangs on it unseen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from auditor.domain.cluster_network import Selector
from auditor.domain.reading import Reading, Seen, Unseen

ANY = "*"
ADMIN_ROLE = "cluster-admin"
BOOTSTRAPPING = "kubernetes.io/bootstrapping"
SYSTEM = "system:"
ACCOUNT_PREFIX = "system:serviceaccount:"
EVERYBODY = ("system:anonymous", "system:unauthenticated", "system:authenticated")
"""Names that begin like those of components and stand for people and programs nobody named."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """What a role allows: verbs on resources of groups (``""`` is the core), or on paths that are no resources."""

    verbs: tuple[str, ...]
    groups: tuple[str, ...]
    resources: tuple[str, ...]
    names: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    @property
    def wildcards(self) -> bool:
        """Whether it says "all" of verbs, groups or resources."""
        return any(ANY in words for words in (self.verbs, self.groups, self.resources))

    @property
    def everything(self) -> bool:
        """Whether it allows all there is."""
        return not self.names and all(ANY in words for words in (self.verbs, self.groups, self.resources))


@dataclass(frozen=True, slots=True)
class Role:
    """A role, with an empty namespace for one of the cluster; ``gathers`` picks the roles that its rules are gathered from."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    rules: tuple[PolicyRule, ...]
    gathers: tuple[Selector, ...] = ()

    @property
    def built_in(self) -> bool:
        """Whether every cluster is born with it."""
        return self.name.startswith(SYSTEM) or self.labels.get(BOOTSTRAPPING) == "rbac-defaults"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is bound: a User, a Group, or a ServiceAccount of a namespace."""

    kind: str
    name: str
    namespace: str = ""

    @property
    def told(self) -> str:
        """``Group:developers``, ``ServiceAccount:shop/ci``."""
        return f"{self.kind}:{self.namespace}/{self.name}" if self.namespace else f"{self.kind}:{self.name}"

    @property
    def system(self) -> bool:
        """Whether it is a component of the cluster; names that stand for everybody, or for all workloads, are not."""
        workloads = self.name.startswith("system:serviceaccounts")
        return self.kind != "ServiceAccount" and self.name.startswith(SYSTEM) and not workloads and not self.everybody

    @property
    def everybody(self) -> bool:
        """Whether it stands for callers whom nobody named, with or without a credential."""
        return self.kind != "ServiceAccount" and self.name in EVERYBODY


@dataclass(frozen=True, slots=True)
class Binding:
    """A binding, with an empty namespace for one of the cluster; ``role_kind`` is Role or ClusterRole."""

    name: str
    namespace: str
    labels: Mapping[str, str]
    role_kind: str
    role: str
    subjects: tuple[Subject, ...]

    @property
    def told(self) -> str:
        """``ClusterRole edit through RoleBinding deploy in namespace shop``."""
        kind = "RoleBinding" if self.namespace else "ClusterRoleBinding"
        where = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        return f"{self.role_kind} {self.role} through {kind} {self.name} {where}"

    def bound(self) -> Iterator[Subject]:
        """Its subjects as the authoriser knows them; a service account of no namespace is nobody."""
        for one in self.subjects:
            if one.kind == "User" and one.name.startswith(ACCOUNT_PREFIX):
                namespace, _, name = one.name.removeprefix(ACCOUNT_PREFIX).partition(":")
                yield Subject("ServiceAccount", name, namespace)
            elif one.kind != "ServiceAccount":
                yield Subject(one.kind, one.name)
            elif one.namespace or self.namespace:
                yield Subject(one.kind, one.name, one.namespace or self.namespace)


@dataclass(frozen=True, slots=True)
class Grant:
    """One rule that a subject holds: ``namespace`` is where, empty for the whole cluster; ``origin`` the role that wrote it."""

    rule: PolicyRule
    namespace: str
    told: str
    role: str
    origin_built_in: bool


@dataclass(frozen=True, slots=True)
class Right:
    """Something one may be allowed: any of the verbs on any of the resources of a group.

    ``pods/exec`` is a subresource. ``cluster_wide`` resources stand in no namespace, so no RoleBinding gives them.
    ``by_name`` says whether a rule for named objects alone counts.
    """

    verbs: tuple[str, ...]
    group: str
    resources: tuple[str, ...]
    cluster_wide: bool = False
    by_name: bool = True

    def given_by(self, grant: Grant) -> bool:
        """Whether a grant allows it."""
        if self.cluster_wide and grant.namespace:
            return False
        rule = grant.rule
        if rule.names and not self.by_name:
            return False
        if not _has(rule.groups, self.group):
            return False
        return any(
            _has(rule.verbs, verb) and _covers(rule.resources, resource)
            for verb in self.verbs
            for resource in self.resources
            if not rule.names or _may_be_named(verb, resource)
        )


@dataclass(frozen=True, slots=True)
class Holding:
    """A subject with all it holds through bindings that name it, and why it may hold more.

    What a group holds stands at the group, once: nobody in the cluster can tell who its members are.
    """

    subject: Subject
    grants: tuple[Grant, ...]
    gaps: tuple[str, ...]

    def of(self, *rights: Right, custom: bool = False) -> Reading[tuple[str, ...]]:
        """Through which bindings it holds any of these rights; ``custom`` leaves out what built-in roles wrote."""
        return self._told(
            grant
            for grant in self.grants
            if not (custom and grant.origin_built_in) and any(right.given_by(grant) for right in rights)
        )

    def everything(self, *, namespaced: bool) -> Reading[tuple[str, ...]]:
        """Through which bindings it may do all there is, in the whole cluster or in single namespaces."""
        return self._told(
            grant for grant in self.grants if grant.rule.everything and bool(grant.namespace) == namespaced
        )

    def _told(self, grants: Iterable[Grant]) -> Reading[tuple[str, ...]]:
        found = tuple(sorted({grant.told for grant in grants}))
        return Seen(found) if found or not self.gaps else Unseen("; ".join(self.gaps))


@dataclass(frozen=True)
class Rights:
    """All roles and bindings that were seen; a gap is the reason why there may be more of a kind."""

    cluster_roles: Sequence[Role]
    roles: Sequence[Role]
    bindings: Sequence[Binding]
    cluster_role_gap: str | None = None
    role_gap: str | None = None
    binding_gaps: tuple[str, ...] = ()
    _by_name: dict[tuple[str, str], Role] = field(default_factory=dict, repr=False, compare=False)
    _rules: dict[tuple[str, str], tuple[tuple[PolicyRule, bool], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def holdings(self) -> tuple[Holding, ...]:
        """Every subject that a binding names, in order."""
        grants: dict[Subject, list[Grant]] = {}
        gaps: dict[Subject, dict[str, None]] = {}
        for binding in self.bindings:
            given, gap = self._given(binding)
            for subject in binding.bound():
                own = grants.setdefault(subject, [])
                own.extend(grant for grant in given if not _part_of_the_platform(subject, grant))
                missing = gaps.setdefault(subject, dict.fromkeys(self.binding_gaps))
                if gap is not None:
                    missing[gap] = None
        return tuple(
            Holding(subject, tuple(grants[subject]), tuple(gaps[subject]))
            for subject in sorted(grants, key=lambda one: (one.kind, one.namespace, one.name))
        )

    def rules_of(self, role: Role) -> Iterator[tuple[PolicyRule, Role]]:
        """The rules of a role with the role that wrote each: its own first, then those it gathers, through any depth."""
        reached, names = [role], {role.name}
        for one in reached:
            yield from ((rule, one) for rule in one.rules)
            for other in self.cluster_roles if one.gathers else ():
                if other.name not in names and any(pick.matches(other.labels) for pick in one.gathers):
                    reached.append(other)
                    names.add(other.name)

    def _given(self, binding: Binding) -> tuple[tuple[Grant, ...], str | None]:
        """The rules that a binding hands out, and why there may be others; a role that does not exist hands out none."""
        role = self._role(binding)
        if isinstance(role, Role):
            told = binding.told
            return tuple(
                Grant(rule, binding.namespace, told, role.name, built_in) for rule, built_in in self._written(role)
            ), None
        if role is not None and binding.role_kind == "ClusterRole" and binding.role == ADMIN_ROLE:
            every = PolicyRule((ANY,), (ANY,), (ANY,))  # the one role whose rules its name tells
            return (Grant(every, binding.namespace, binding.told, ADMIN_ROLE, origin_built_in=True),), None
        return (), role

    def _written(self, role: Role) -> tuple[tuple[PolicyRule, bool], ...]:
        """The different rules of a role, and of each whether built-in roles alone wrote it; many bindings ask the same."""
        key = (role.namespace, role.name)
        if key not in self._rules:
            told: dict[PolicyRule, bool] = {}
            for rule, writer in self.rules_of(role):
                told[rule] = told.get(rule, True) and writer.built_in
            self._rules[key] = tuple(told.items())
        return self._rules[key]

    def _role(self, binding: Binding) -> Role | str | None:
        if not self._by_name:
            self._by_name.update({("", one.name): one for one in self.cluster_roles})
            self._by_name.update({(one.namespace, one.name): one for one in self.roles})
        if binding.role_kind == "ClusterRole":
            return self._by_name.get(("", binding.role)) or self.cluster_role_gap
        if not binding.namespace:
            return None
        return self._by_name.get((binding.namespace, binding.role)) or self.role_gap


def _part_of_the_platform(subject: Subject, grant: Grant) -> bool:
    """Whether this is a component of the cluster with the role that every cluster gives it."""
    component = subject.system or (subject.kind == "ServiceAccount" and subject.namespace == "kube-system")
    return component and grant.role.startswith(SYSTEM)


def _has(words: tuple[str, ...], word: str) -> bool:
    return ANY in words or word in words


def _covers(resources: tuple[str, ...], resource: str) -> bool:
    _, _, below = resource.partition("/")
    return ANY in resources or resource in resources or (bool(below) and f"*/{below}" in resources)


def _may_be_named(verb: str, resource: str) -> bool:
    """Whether a request carries a name at all: what is being made has none yet, and a collection has none ever."""
    return "/" in resource or verb not in {"create", "deletecollection"}

"""Rights by joins against the authoriser done the slow way: each request asked of each rule of each binding, one by one."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.domain.cluster_network import NetworkPolicy, Rule, Selector, denied_by_default, selecting
from auditor.domain.cluster_rights import Binding, Grant, Holding, PolicyRule, Right, Rights, Role, Subject
from auditor.domain.reading import Seen, Unseen

SMALL = settings(max_examples=300)
VERBS = ("get", "create", "*")
GROUPS = ("", "apps", "*")
RESOURCES = ("secrets", "pods", "pods/exec", "*/exec", "*")
NAMES = ("", "shop", "lab")
PEOPLE = (
    Subject("User", "ana"),
    Subject("Group", "devs"),
    Subject("ServiceAccount", "ci", "shop"),
    Subject("ServiceAccount", "ci"),
    Subject("User", "system:serviceaccount:shop:ci"),
)


def some(values: tuple[str, ...]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)


# Rules that give something are common here: most random ones give nothing, and would prove as much.
rules = st.builds(PolicyRule, some(VERBS), some(GROUPS), some(RESOURCES), st.sampled_from(((), (), ("one",))))
labels = st.dictionaries(st.sampled_from(("a", "b")), st.just("1"), max_size=2)
selectors = st.builds(Selector, st.dictionaries(st.sampled_from(("a", "b")), st.just("1"), min_size=1, max_size=1))


@st.composite
def roles(draw: st.DrawFn, namespaces: tuple[str, ...]) -> Role:
    namespace = draw(st.sampled_from(namespaces))
    gathers = draw(st.lists(selectors, max_size=1)) if not namespace else []
    return Role(
        draw(st.sampled_from(("r", "s"))),
        namespace,
        draw(labels),
        tuple(draw(st.lists(rules, min_size=1, max_size=2))),
        tuple(gathers),
    )


@st.composite
def bindings(draw: st.DrawFn) -> Binding:
    namespace = draw(st.sampled_from(NAMES))
    kind = draw(st.sampled_from(("Role", "ClusterRole")))
    who = tuple(draw(st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=2, unique=True)))
    return Binding("b", namespace, {}, kind, draw(st.sampled_from(("r", "s"))), who)


@st.composite
def clusters(draw: st.DrawFn) -> Rights:
    def unique(found: list[Role]) -> tuple[Role, ...]:
        return tuple({(one.namespace, one.name): one for one in found}.values())

    return Rights(
        unique(draw(st.lists(roles(("",)), min_size=1, max_size=2))),
        unique(draw(st.lists(roles(NAMES[1:]), max_size=2))),
        tuple(draw(st.lists(bindings(), min_size=1, max_size=2))),
    )


def slowly(cluster: Rights, user: str, groups: set[str], verb: str, group: str, resource: str, namespace: str) -> bool:
    """Whether somebody may do this to a nameless object, or to the one called ``one``; no object is called otherwise."""
    return any(
        _allows(rule, verb, group, resource, name)
        for binding in cluster.bindings
        if binding.namespace in {"", namespace} and any(_is(one, user, groups, binding) for one in binding.subjects)
        for rule in _rules(cluster, binding)
        for name in ("", "one")
        if name == "" or verb != "create" or "/" in resource
    )


def _is(subject: Subject, user: str, groups: set[str], binding: Binding) -> bool:
    if subject.kind == "Group":
        return subject.name in groups
    if subject.kind == "User":
        return subject.name == user
    namespace = subject.namespace or binding.namespace
    return bool(namespace) and user == f"system:serviceaccount:{namespace}:{subject.name}"


def _rules(cluster: Rights, binding: Binding) -> Iterator[PolicyRule]:
    where = "" if binding.role_kind == "ClusterRole" else binding.namespace
    if binding.role_kind == "Role" and not where:
        return
    known = cluster.roles if where else cluster.cluster_roles
    reached = [one for one in known if (one.name, one.namespace) == (binding.role, where)]
    for _ in range(4):  # as often as there are roles, and once more
        reached += [
            other
            for one in list(reached)
            for pick in one.gathers
            for other in cluster.cluster_roles
            if all(other.labels.get(name) == value for name, value in pick.labels.items())
        ]
    for one in reached:
        yield from one.rules


def _allows(rule: PolicyRule, verb: str, group: str, resource: str, name: str) -> bool:
    below = resource.partition("/")[2]
    meant = {"*", resource} | ({f"*/{below}"} if below else set())
    return (
        bool({"*", verb} & set(rule.verbs))
        and bool({"*", group} & set(rule.groups))
        and bool(meant & set(rule.resources))
        and (not rule.names or name in rule.names)
    )


def found(cluster: Rights, who: Subject, right: Right) -> bool:
    for holding in cluster.holdings():
        if holding.subject == who:
            told = holding.of(right)
            assert isinstance(told, Seen)
            return bool(told.value)
    return False


@SMALL
@given(
    clusters(),
    st.sampled_from(("get", "create")),
    st.sampled_from(("", "apps")),
    st.sampled_from(("secrets", "pods", "pods/exec")),
)
def test_a_right_is_found_where_and_only_where_the_authoriser_would_allow_it_somewhere(
    cluster: Rights, verb: str, group: str, resource: str
) -> None:
    right = Right((verb,), group, (resource,))
    everyone = (
        (Subject("User", "ana"), "ana", set[str]()),
        (Subject("Group", "devs"), "nobody", {"devs"}),
        (Subject("ServiceAccount", "ci", "shop"), "system:serviceaccount:shop:ci", set[str]()),
        (Subject("ServiceAccount", "ci", "lab"), "system:serviceaccount:lab:ci", set[str]()),
    )
    for who, user, groups in everyone:
        allowed = any(slowly(cluster, user, groups, verb, group, resource, place) for place in NAMES)
        assert found(cluster, who, right) == allowed, who


@SMALL
@given(clusters(), st.sampled_from(("get", "create")))
def test_what_stands_in_no_namespace_is_reached_through_the_whole_cluster_alone(cluster: Rights, verb: str) -> None:
    right = Right((verb,), "", ("secrets",), cluster_wide=True)
    assert found(cluster, Subject("User", "ana"), right) == slowly(cluster, "ana", set(), verb, "", "secrets", "")


@SMALL
@given(clusters(), st.sampled_from(("cluster_role_gap", "role_gap")))
def test_seeing_less_never_turns_an_answer_around(cluster: Rights, gap: str) -> None:
    """Hiding roles may hide an answer; it never makes a power of none, and none of a power."""
    right = Right(("get",), "", ("secrets",))
    full = {held.subject: held.of(right) for held in cluster.holdings()}
    less = Rights(
        () if gap == "cluster_role_gap" else cluster.cluster_roles,
        () if gap == "role_gap" else cluster.roles,
        cluster.bindings,
        "denied" if gap == "cluster_role_gap" else None,
        "denied" if gap == "role_gap" else None,
    )
    for held in less.holdings():
        told, truth = held.of(right), full[held.subject]
        assert isinstance(truth, Seen)
        if isinstance(told, Seen):
            assert bool(told.value) == bool(truth.value)


@SMALL
@given(rules)
def test_all_there_is_includes_every_right(rule: PolicyRule) -> None:
    grant = Grant(rule, "", "by hand", "r", origin_built_in=False)
    held = Holding(Subject("User", "ana"), (grant,), ())
    if held.everything(namespaced=False) != Seen(()):
        assert rule.wildcards
        assert all(Right((verb,), group, ("secrets",)).given_by(grant) for verb in ("get", "x") for group in ("", "y"))


@SMALL
@given(rules, st.sampled_from(("bindings were not listed",)))
def test_a_gap_hides_only_what_was_not_found(rule: PolicyRule, gap: str) -> None:
    right = Right(("get",), "", ("secrets",))
    grant = Grant(rule, "", "by hand", "r", origin_built_in=False)
    told = Holding(Subject("User", "ana"), (grant,), (gap,)).of(right)
    assert (told == Seen(("by hand",))) if right.given_by(grant) else (told == Unseen(gap))


policies = st.builds(
    NetworkPolicy,
    st.just("p"),
    st.just("shop"),
    st.builds(Selector, labels),
    st.sampled_from((("Ingress",), ("Egress",), ("Ingress", "Egress"))),
    st.lists(st.builds(Rule, st.sampled_from(((), ("TCP/80",))), st.integers(0, 1), st.booleans()), max_size=2).map(
        tuple
    ),
    st.just(()),
)


@SMALL
@given(st.lists(policies, max_size=4), labels)
def test_a_namespace_that_denies_by_default_leaves_no_pod_unselected(
    known: list[NetworkPolicy], pod: dict[str, str]
) -> None:
    if denied_by_default(known, "Ingress"):
        assert selecting(known, pod)


@SMALL
@given(st.lists(policies, max_size=4), policies)
def test_one_more_policy_that_says_nothing_of_a_direction_changes_nothing_there(
    known: list[NetworkPolicy], extra: NetworkPolicy
) -> None:
    if "Ingress" not in extra.types:
        assert denied_by_default([*known, extra], "Ingress") == denied_by_default(known, "Ingress")

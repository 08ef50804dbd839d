"""What we look at, declared: the calls, what they may answer, what is kept, and one pure function to a document.

From a declaration follow concurrency, retries, permissions, the call budget and the source line in a bundle.
A declaration names operations as ``service:operation`` in the client library's spelling; templates in parameters
(``"{Name}"``) are filled from the listed item, plus ``{account}``, ``{partition}`` and ``{region}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

from auditor.domain.coverage import shown_within
from auditor.domain.reading import UNSEEN_KEY, Readings, Unseen

PlaceKind: TypeAlias = Literal["account", "region"]
Items: TypeAlias = str | Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]
T = TypeVar("T")
TEMPLATE = re.compile(r"\{(\w+)\}")
COMMON = frozenset({"account", "partition", "region", "namespaces"})
"""Templates that are the same for all resources of a place (``region`` only where the listing names no other).

``namespaces`` are those that alone are in scope, where a rule names each of them.
"""
WITHIN = "within"
"""What a page holds, beside its items, that is of one namespace alone: which."""
WRITER = "$writer"
"""What an item holds, beside its fields, of who last wrote to it: ``manager``, ``operation``, ``at``. It is no evidence."""


def templates(template: Any) -> frozenset[str]:
    """The names of all templates in a parameter, in lists and maps too."""
    if isinstance(template, str):
        return frozenset(TEMPLATE.findall(template))
    if isinstance(template, Mapping):
        return frozenset().union(*(templates(member) for member in template.values()))
    if isinstance(template, (list, tuple)):
        return frozenset().union(*(templates(member) for member in template))
    return frozenset()


@dataclass(frozen=True, init=False, slots=True, eq=False)
class Read:
    """One call and what of its answer is kept.

    ``absent`` error codes are an answer (kept as null). ``unsupported`` codes say that the service is not there.
    ``items`` is the path of a list in the answer, read over all pages; without it the (single) answer itself is kept.
    ``keep`` is the allow-list of paths inside each item or the answer (``A.B``, ``A[].B``); nothing else is stored.
    ``match`` picks, from a list that is read once for all, the items that belong to this resource.
    ``when`` is asked with the readings so far; a call not made leaves no trace in the evidence.
    ``project`` replaces ``keep`` by a pure function: for values that may only be scanned in memory.
    ``prepare`` is an operation repeated until its ``State`` is ``COMPLETE`` before the read itself.
    ``batch`` names a list parameter and how many members one call takes; details read earlier may fill it by their name.
    ``page`` cuts each page down as it comes, where whole answers would cost too much memory.
    """

    operation: str
    params: Mapping[str, Any]
    absent: tuple[str, ...]
    unsupported: tuple[str, ...]
    items: Items | None
    keep: tuple[str, ...]
    match: Mapping[str, str]
    when: Callable[[Readings], bool] | None
    project: Callable[[Any], Any] | None
    prepare: str | None
    batch: tuple[str, int] | None
    page: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None

    def __init__(
        self,
        operation: str,
        *,
        absent: tuple[str, ...] = (),
        unsupported: tuple[str, ...] = (),
        items: Items | None = None,
        keep: tuple[str, ...] = (),
        match: Mapping[str, str] | None = None,
        when: Callable[[Readings], bool] | None = None,
        project: Callable[[Any], Any] | None = None,
        prepare: str | None = None,
        batch: tuple[str, int] | None = None,
        page: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
        **params: Any,
    ) -> None:
        chosen = {
            "operation": operation,
            "params": params,
            "absent": absent,
            "unsupported": unsupported,
            "items": items,
            "keep": keep,
            "match": match or {},
            "when": when,
            "project": project,
            "prepare": prepare,
            "batch": batch,
            "page": page,
        }
        for name, value in chosen.items():
            object.__setattr__(self, name, value)

    @property
    def operations(self) -> tuple[str, ...]:
        """Every operation that this read may call."""
        return (self.operation,) if self.prepare is None else (self.prepare, self.operation)

    @property
    def shared(self) -> bool:
        """Whether the question is the same for every resource of a region, so that one answer serves all of them."""
        return self.when is None and self.batch is None and templates(self.params) <= COMMON


@dataclass(frozen=True, init=False, slots=True, eq=False)
class Listing(Read):
    """The call that says which resources there are.

    ``id`` names the field, or is a template, that gives the ARN where AWS has one.
    ``region`` names the field with the resource's own region, for global listings of regional things.
    ``one`` names the parameter that makes the listing show a single resource, given by its id; none where it cannot.
    ``watched`` says that the source may be asked to tell by itself what changes in it.
    ``within`` are listings that must be read first, the outermost in front: each is asked once per item of the one
    before, whose fields fill the templates of its parameters and stand beside the fields of its own items.
    """

    id: str
    region: str | None
    one: str | None
    watched: bool
    within: tuple[Read, ...]

    def __init__(
        self,
        operation: str,
        *,
        items: Items,
        id: str,  # noqa: A002  (the word people use)
        region: str | None = None,
        one: str | None = None,
        watched: bool = False,
        within: tuple[Read, ...] = (),
        **rest: Any,
    ) -> None:
        super(Listing, self).__init__(operation, items=items, **rest)
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "region", region)
        object.__setattr__(self, "one", one)
        object.__setattr__(self, "watched", watched)
        object.__setattr__(self, "within", within)

    @property
    def chain(self) -> tuple[Read, ...]:
        """The listings that lead here, the outermost first, and this one."""
        return (*self.within, self)


Describe: TypeAlias = Callable[[Readings], Any]


@dataclass(slots=True, eq=False)
class ResourceType:
    """A declared, versioned kind of thing, read in every region, or once per account where ``place`` is ``account``.

    Without a listing it is a place seen from one side (``aws.iam.root``): exactly one document per place.
    ``volatile`` names kept paths that change without meaning: their values stand beside the evidence (``domain.volatile``).
    Raise ``version`` when kept fields, volatile paths or the function change.
    """

    name: str
    version: int
    title: str
    place: PlaceKind = "region"
    listing: Listing | None = None
    details: Mapping[str, Read] = field(default_factory=dict)
    volatile: tuple[str, ...] = ()
    _describe: Describe | None = None

    def document(self, function: Describe) -> Describe:
        """Take the function that turns readings into the document; one per type."""
        self._describe = function
        return function

    @property
    def document_type(self) -> type:
        """The dataclass that the document function promises."""
        return _promised(self.name, self._describe)

    @property
    def reads(self) -> tuple[Read, ...]:
        """Every call of the declaration, the listing first."""
        return (*(() if self.listing is None else self.listing.chain), *self.details.values())

    @property
    def names(self) -> frozenset[str]:
        """The names that the document function may ask for."""
        kept = () if self.listing is None else self.listing.keep
        return frozenset({path.split(".", 1)[0].split("[", 1)[0] for path in kept} | set(self.details))

    def describe(self, content: Mapping[str, Any]) -> Any:
        """The document that this evidence shows; pure, so that anybody may derive it again.

        Where the function cannot read an answer, the first detail without which it can is taken for unseen, or all of
        them; an error that remains is raised.
        """
        if self._describe is None:
            raise RuntimeError(f"{self.name} has no document function")
        try:
            return self._describe(Readings(content, self.names))
        except Exception as error:  # an answer of a form that nobody foresaw hides itself, not the resource
            for hidden in (*((name,) for name in self.details), tuple(self.details)):
                gaps = {name: {UNSEEN_KEY: f"{type(error).__name__} {self.name}"} for name in hidden}
                with suppress(Exception):
                    return self._describe(Readings({**content, **gaps}, self.names))
            raise


@dataclass(frozen=True, slots=True)
class Member:
    """One described resource of a population."""

    id: str
    region: str
    document: Any


@dataclass(frozen=True, slots=True)
class Population:
    """All resources of a type that a run saw, and, where the listing fell short, why there may be more."""

    members: tuple[Member, ...]
    unseen: str | None = None
    within: tuple[str, ...] = ()
    """The namespaces that were listed, where others were left out."""
    _made: dict[Callable[[Population], Any], Any] = field(default_factory=dict, repr=False, compare=False)

    def once(self, function: Callable[[Population], T]) -> T:
        """What a pure function makes of the whole population, worked out for the first who asks: n members, not n²."""
        if function not in self._made:
            self._made[function] = function(self)
        made: T = self._made[function]
        return made

    def documents(self) -> tuple[Any, ...]:
        """The documents, closed by an ``Unseen`` where more may exist: expressions know what that means."""
        seen = tuple(member.document for member in self.members)
        return seen if self.unseen is None else (*seen, Unseen(self.unseen))

    def find(self, id: str) -> Member | Unseen | None:  # noqa: A002  (the word people use)
        """The member of that id; ``None`` only if the listing was complete and would have shown it."""
        found = self.once(_by_id).get(id)
        if found is not None:
            return found
        if self.unseen is not None:
            return Unseen(self.unseen)
        shown = shown_within(self.within, id)
        return None if shown else Unseen(f"only these namespaces were listed: {', '.join(self.within)}")


def _by_id(population: Population) -> dict[str, Member]:
    return {member.id: member for member in population.members}


@dataclass(frozen=True, slots=True)
class Joined:
    """What a derived type is built from: the member it stands over, or none for a place, and whole populations."""

    account: str
    region: str
    member: Member | None
    populations: Mapping[str, Population]

    def of(self, resource_type: ResourceType) -> Population:
        """The population of an input type; for a region's document only the members of that region."""
        return self.populations[resource_type.name]


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """Members of a derived type's own, with ids of their own: a pure function groups the inputs into them.

    ``shown_by`` are the inputs whose listings must have been complete for all members to be there.
    """

    members: Callable[[Joined], Iterable[Member]]
    shown_by: tuple[ResourceType, ...]


@dataclass(slots=True, eq=False)
class DerivedType:
    """A kind of thing that joins others, built by a pure function once its inputs of the run are in.

    ``over`` is ``account`` or ``region`` (exactly one document per place), or an input type: one document per member,
    under the member's own id; or a spread: one document per member that it makes of the inputs of the whole account.
    Inputs that a run gave up are unseen, never empty.
    """

    name: str
    version: int
    title: str
    over: PlaceKind | ResourceType | Spread
    inputs: tuple[ResourceType, ...]
    _describe: Callable[[Joined], Any] | None = None

    def document(self, function: Callable[[Joined], Any]) -> Callable[[Joined], Any]:
        """Take the function that joins the inputs into the document; one per type."""
        self._describe = function
        return function

    @property
    def document_type(self) -> type:
        """The dataclass that the document function promises."""
        return _promised(self.name, self._describe)

    @property
    def place(self) -> PlaceKind:
        """Where its documents stand: the place itself, or that of the members."""
        if isinstance(self.over, Spread):
            return "account"
        return self.over.place if isinstance(self.over, ResourceType) else self.over

    def describe(self, joined: Joined) -> Any:
        """The document that these inputs show; pure.

        Where the function cannot read an input, the first population without which it can is taken for unseen, or all.
        """
        if self._describe is None:
            raise RuntimeError(f"{self.name} has no document function")
        try:
            return self._describe(joined)
        except Exception as error:  # as above: what nobody foresaw hides itself
            for hidden in (*((name,) for name in joined.populations), tuple(joined.populations)):
                gaps = {name: Population((), f"{type(error).__name__} {self.name}") for name in hidden}
                with suppress(Exception):
                    return self._describe(replace(joined, populations={**joined.populations, **gaps}))
            raise


AnyType: TypeAlias = ResourceType | DerivedType


def _promised(name: str, function: Callable[..., Any] | None) -> type:
    if function is None:
        raise RuntimeError(f"{name} has no document function")
    from typing import get_type_hints  # noqa: PLC0415  (asked at load time only)

    promised: type = get_type_hints(function)["return"]
    return promised

"""What rights a service account holds by bindings, its own and those of the groups that it is in."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.collectors.kubernetes._rights import bound_by_group, bound_by_name
from auditor.collectors.kubernetes.core_configuration import ServiceAccount, service_account
from auditor.collectors.kubernetes.rbac import cluster_role_binding, role_binding
from auditor.domain.reading import Unseen
from auditor.domain.resource_type import DerivedType, Joined


@dataclass(frozen=True, slots=True)
class AccountRights:
    """A service account and the bindings that give it rights beyond discovery, by id."""

    name: str
    namespace: str
    bindings: tuple[str | Unseen, ...]


account_rights = DerivedType(
    "kubernetes.service_account_rights",
    version=1,
    title="Rights of a service account",
    over=service_account,
    inputs=(service_account, role_binding, cluster_role_binding),
)


@account_rights.document
def describe(joined: Joined) -> AccountRights:
    """The account with every binding that names it, or all service accounts."""
    if joined.member is None:
        raise RuntimeError("the rights of a service account are described over it")
    account: ServiceAccount = joined.member.document
    found: list[str | Unseen] = []
    for population in (joined.of(role_binding), joined.of(cluster_role_binding)):
        found += bound_by_name(population, account.namespace, account.name)
        found += bound_by_group(population, account.namespace)
        if population.unseen is not None:
            found.append(Unseen(population.unseen))
    return AccountRights(account.name, account.namespace, tuple(dict.fromkeys(found)))

"""The one place where everything meets: which store, which objects, which caller, joined for a command or a process.

``looking`` joins what needs no installation, ``installation`` what one process holds open, ``duties`` what workers do over
it, ``watching`` what is followed between runs, ``configured`` what settings ask for.
"""

from __future__ import annotations

from auditor.bootstrap.configured import roles_of
from auditor.bootstrap.duties import Notary, Work
from auditor.bootstrap.installation import Installation
from auditor.bootstrap.looking import ask_permissions, call, call_pool, now, plan, scan_aws
from auditor.bootstrap.purposes import CLUSTER_TOKEN, WEBHOOK_SECRET
from auditor.bootstrap.watching import follow

__all__ = [
    "CLUSTER_TOKEN",
    "WEBHOOK_SECRET",
    "Installation",
    "Notary",
    "Work",
    "ask_permissions",
    "call",
    "call_pool",
    "follow",
    "now",
    "plan",
    "roles_of",
    "scan_aws",
]

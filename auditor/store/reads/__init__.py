"""What pages and exports read: frozen views, from one connection that was opened under a tenant.

Every state that leaves here is the effective one: coverage is laid over by ``overlay`` before anything is counted, so a page,
its export and the roll-up cannot differ. ``absent`` never leaves as a verdict.
"""

from __future__ import annotations

from sqlalchemy import Connection

__all__ = ["Connection"]

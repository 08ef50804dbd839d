"""Run the steps on the connection that ``auditor.store.provision.migrate`` hands over; there is no ini file and no URL here."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()

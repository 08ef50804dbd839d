"""What we keep: PostgreSQL behind row-level security, evidence bytes, and the same ports in memory.

Enters: domain values under one tenant. Leaves: the same values back. The only room that speaks SQL.
"""

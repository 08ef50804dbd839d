"""Auditor: continuous compliance auditing with evidence an auditor can check without trusting us."""

__version__ = "0.1.0"

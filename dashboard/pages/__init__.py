"""Every page, one module each. A page that is not named here does not exist."""

from __future__ import annotations

from dashboard.pages import (
    bundles,
    control,
    coverage,
    drift,
    finding,
    findings,
    framework,
    health,
    inventory,
    opened,
    permissions,
    posture,
    sign_in,
    source,
    sources,
    webhooks,
)

PAGES = (
    posture.page,
    framework.page,
    control.page,
    findings.page,
    finding.page,
    drift.page,
    coverage.page,
    sources.page,
    source.page,
    inventory.page,
    permissions.page,
    bundles.page,
    webhooks.page,
    sign_in.page,
    health.page,
    opened.page,
)
OF_A_BUNDLE = frozenset({"opened"})
"""Pages that only an opened bundle has."""
WITHOUT_A_BUNDLE = frozenset({"bundles", "permissions", "sign_in", "webhooks"})
"""Pages about what a bundle does not tell: an opened one does not have them."""

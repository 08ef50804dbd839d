"""Every page, one module each. A page that is not named here does not exist."""

from __future__ import annotations

from dashboard.pages import (
    control,
    coverage,
    drift,
    finding,
    findings,
    framework,
    health,
    posture,
    sign_in,
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
    webhooks.page,
    sign_in.page,
    health.page,
)

"""Until when EKS gives each Kubernetes version standard support; a version that is not here is unknown.

Sources: the release calendar of the EKS user guide (kubernetes-versions), read for 1.29 to 1.34; endoflife.date
(amazon-eks), which records that calendar, for older versions and for 1.35. As of 2026-02-14. A change of this table
changes documents: raise the version of ``aws.eks.cluster`` with it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from auditor.domain.reading import Reading, Seen, Unseen

AS_OF = "2026-02-14"

_ENDS = {
    "1.18": "2022-03-31",
    "1.19": "2022-08-01",
    "1.20": "2022-11-01",
    "1.21": "2023-02-16",
    "1.22": "2023-06-04",
    "1.23": "2023-10-11",
    "1.24": "2024-01-31",
    "1.25": "2024-05-01",
    "1.26": "2024-06-11",
    "1.27": "2024-07-24",
    "1.28": "2024-11-26",
    "1.29": "2025-03-23",
    "1.30": "2025-07-23",
    "1.31": "2025-11-26",
    "1.32": "2026-03-23",
    "1.33": "2026-07-29",
    "1.34": "2026-12-02",
    "1.35": "2027-03-27",
}


def version_supported_until(version: Reading[Any]) -> Reading[datetime]:
    """The instant at which standard support ends and extended support is billed: that day begins, UTC."""
    if isinstance(version, Unseen):
        return version
    ends = _ENDS.get(str(version.value))
    if ends is None:
        return Unseen(f"Kubernetes {version.value} is not in the table of {AS_OF}")
    return Seen(datetime.combine(date.fromisoformat(ends), time(), UTC))

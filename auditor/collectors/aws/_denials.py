"""What denied a call, read from AWS's own sentence: who can lift it depends on which kind of policy said no."""

from __future__ import annotations

import re

KINDS = {
    "service control policy": "service control policy",
    "resource control policy": "resource control policy",
    "permissions boundary": "permissions boundary",
    "session policy": "session policy",
    "vpc endpoint policy": "VPC endpoint policy",
    "resource-based policy": "resource policy",
    "identity-based policy": "identity policy",
}
"""AWS's word and ours."""
NOBODY_ALLOWS = "no policy allows it"
_SAID = re.compile(rf"(explicit deny in an?|because no) ({'|'.join(KINDS)})\b", re.IGNORECASE)


def denied_by(message: str) -> str:
    """The kind of policy that said no, ``no policy allows it``, or nothing where AWS does not tell.

    Source: IAM user guide, troubleshooting access denied error messages.
    """
    said = _SAID.search(message)
    if said is None:
        return ""
    how, kind = said[1].lower(), said[2].lower()
    if how == "because no" and kind in {"identity-based policy", "resource-based policy"}:
        return NOBODY_ALLOWS
    return KINDS[kind]

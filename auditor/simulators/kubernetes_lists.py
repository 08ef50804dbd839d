"""Lists in pages: from a view that stands still, under one version, with tokens in the real server's own form."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from string import ascii_letters, digits
from typing import Any

from auditor.simulators.kubernetes_answers import Answer, Refused, bad_request, encode, expired, not_simulated
from auditor.simulators.kubernetes_kinds import Kind
from auditor.simulators.kubernetes_requests import Asked
from auditor.simulators.kubernetes_store import Store, Stored, View

_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105 - the form's name, no secret
_ALPHABET = set(ascii_letters + digits + "-_")
ANYWHERE = -1
"""The version in a fresh token after 410: go on from this key in whatever there is by now."""


def list_page(store: Store, kind: Kind, asked: Asked, *, metadata_only: bool = False) -> Answer:
    """One page of a listing, or the whole where no limit was set.

    Raises:
        Refused: A token that is no token (400), whose version is gone (410 with a fresh one), or a selector of anything but a
            name.
    """
    refuse_selectors(asked, but_name=True)
    limit, token = _limit(asked), asked.query.get("continue", "")
    if token:
        if asked.query.get("resourceVersion", "") not in {"", "0"}:
            raise Refused(bad_request("specifying resource version is not allowed when using continue"))
        version, key = read_token(kind, asked.namespace, token)
        held = store.view(kind, asked.namespace)
        if version not in {ANYWHERE, held.version}:
            found = store.held(kind, asked.namespace, version)
            if found is None:
                raise Refused(expired(write_token(kind, asked.namespace, ANYWHERE, key)))
            held = found
        start = held.after(key)
    else:
        held, start = store.view(kind, asked.namespace), 0
    if asked.name:
        held = View(held.version, tuple(one for one in held.items if one.document["metadata"]["name"] == asked.name))
    end = min(start + limit, len(held.items)) if limit else len(held.items)
    meta: dict[str, Any] = {"resourceVersion": str(held.version)}
    if end < len(held.items):
        store.hold(kind, asked.namespace, held)
        next_key = held.items[end - 1].key + "\0"
        meta["continue"] = write_token(kind, asked.namespace, held.version, next_key)
        meta["remainingItemCount"] = len(held.items) - end
    return Answer(200, _written(kind, meta, held, start, end, metadata_only=metadata_only))


def empty_page(store: Store, kind: Kind, asked: Asked, *, metadata_only: bool = False) -> Answer:
    """A first page that holds nothing and names the next: allowed, and rare enough to be forgotten."""
    held = store.view(kind, asked.namespace)
    store.hold(kind, asked.namespace, held)
    meta = {
        "resourceVersion": str(held.version),
        "continue": write_token(kind, asked.namespace, held.version, ""),
        "remainingItemCount": len(held.items),
    }
    return Answer(200, _written(kind, meta, held, 0, 0, metadata_only=metadata_only))


def expired_answer(kind: Kind, asked: Asked, *, fresh: bool) -> Answer:
    """What one is told whose token is too old: with a token for the rest, or with none.

    Raises:
        Refused: It never was a token.
    """
    _, key = read_token(kind, asked.namespace, asked.query.get("continue", ""))
    return expired(write_token(kind, asked.namespace, ANYWHERE, key) if fresh else "")


def partial(one: Stored) -> dict[str, Any]:
    """An object's metadata alone: all that a client sees who asks for no more."""
    head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {**head, "metadata": one.document["metadata"]}


def refuse_selectors(asked: Asked, *, but_name: bool = False) -> None:
    """Selectors are not simulated, ``but_name`` the one of a single name.

    Raises:
        Refused: One was sent; to pass over it would answer with too much.
    """
    for selector in ("labelSelector", "fieldSelector"):
        if asked.query.get(selector) and not (but_name and selector == "fieldSelector" and asked.name):
            raise Refused(not_simulated(f"the parameter {selector}"))


def write_token(kind: Kind, namespace: str, version: int, key: str) -> str:
    """A continue token: version and next key, relative to what is listed, as the real server writes them."""
    start = key.removeprefix(namespace) if namespace or not kind.namespaced else f"/{key}"
    body = json.dumps({"v": _TOKEN_VERSION, "rv": version, "start": start}, separators=(",", ":"))
    return urlsafe_b64encode(body.encode()).decode().rstrip("=")


def read_token(kind: Kind, namespace: str, token: str) -> tuple[int, str]:
    """Version and next key of a token.

    Raises:
        Refused: It cannot be read; the message is the real server's.
    """
    bare = token.rstrip("=")
    bad = next((index for index, letter in enumerate(bare) if letter not in _ALPHABET), None)
    if bad is None and len(bare) % 4 == 1:
        bad = len(bare) - 1
    if bad is not None:
        raise Refused(_bad_token(f"illegal base64 data at input byte {bad}"))
    try:
        told = json.loads(urlsafe_b64decode(bare + "=" * (-len(bare) % 4)))
        version, start = int(told["rv"]), str(told["start"])
    except (ValueError, TypeError, KeyError):
        raise Refused(_bad_token("invalid character in the token")) from None
    if told.get("v") != _TOKEN_VERSION or not version:
        raise Refused(_bad_token(f"incorrect encoded start resourceVersion (version {_TOKEN_VERSION})"))
    return version, namespace + start if namespace or not kind.namespaced else start.removeprefix("/")


def _bad_token(why: str) -> Answer:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")


def _limit(asked: Asked) -> int:
    told = asked.query.get("limit", "") or "0"
    try:
        return max(int(told), 0)
    except ValueError:
        raise Refused(bad_request(f'strconv.ParseInt: parsing "{told}": invalid syntax')) from None


def _written(kind: Kind, meta: dict[str, Any], view: View, start: int, end: int, *, metadata_only: bool) -> bytes:
    page = view.items[start:end]
    if metadata_only:
        head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta}
        items = [encode(partial(one)) for one in page]
    else:
        if kind.custom:
            meta = {"continue": "", **meta}  # lists of custom resources always say it
        head = {"kind": kind.list_kind or f"{kind.kind}List", "apiVersion": kind.api_version, "metadata": meta}
        items = [one.encoded for one in page]
    return encode(head)[:-1] + b',"items":[' + b",".join(items) + b"]}"

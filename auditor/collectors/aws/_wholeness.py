"""Whether an answer arrived whole: the vendor's client library takes half a JSON body, or none at all, for an empty answer.

An empty answer to a listing says that there is nothing; a proxy or a torn connection that answers 200 must not be able to
say that.
"""

from __future__ import annotations

import json
from typing import Any

JSON = frozenset({"json", "rest-json"})


class UnreadableAnswer(ValueError):  # noqa: N818  (its name is the code that coverage and documents show)
    """An answer of success whose body is not what the protocol promises."""


def refuse_torn(http_response: Any, parsed: Any, model: Any, **_: Any) -> None:
    """Refuse an answer out of which nothing was read, unless its body says in full that there is nothing.

    For the library's ``after-call`` event. Only empty answers are looked at again, so it costs nothing where something came.

    Raises:
        UnreadableAnswer: No body, or none that can be read.
    """
    shape = model.output_shape
    if http_response.status_code != 200 or shape is None or not shape.members or model.has_streaming_output:
        return
    if any(name != "ResponseMetadata" and value not in (None, "") for name, value in parsed.items()):
        return
    if all(
        member.serialization.get("location") in {"header", "headers", "statusCode"} for member in shape.members.values()
    ):
        return
    body = http_response.content.strip()
    if not body:
        raise UnreadableAnswer("the answer has no body")
    if model.service_model.metadata.get("protocol") in JSON or body[:1] in {b"{", b"["}:
        try:
            told = json.loads(body)
        except ValueError:
            raise UnreadableAnswer("the answer breaks off or is no JSON") from None
        if not isinstance(told, dict):
            raise UnreadableAnswer("the answer is no object")
    elif body[:5].lower() in {b"<html", b"<!doc"}:
        raise UnreadableAnswer("the answer is a web page")

"""The client library's service models, cut down to the operations that our declarations name.

A whole model costs 5 to 60 ms and up to 16 MiB, most of it operations that are never called and documentation that is
never read. Cut down, all of them together are one MiB of text; each is kept beside the bytecode for the next process.
A client made over a cut model has no method that no declaration names: what nobody declared cannot be called. Services
that the library itself asks for credentials stay whole.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

import botocore
import botocore.exceptions
import botocore.loaders

from auditor.collectors.aws import resource_types
from auditor.domain.resource_type import ResourceType
from auditor.workings import digest_of, recall, remember

ALWAYS = ("ec2:describe_regions", "s3:head_bucket", "resourcegroupstaggingapi:get_resources")
"""Asked for no resource type: which regions there are, what a scope needs to know of tags, and, by the library itself,
where a bucket is that its own region does not answer for."""
CREDENTIALS = frozenset({"sso", "sso-oidc", "signin", "sts"})
"""What the library asks on its way to credentials, by operations that are its own affair."""
SERVICE, PAGINATORS = "service-2", "paginators-1"
DOCUMENTED = frozenset({"documentation", "documentationUrl"})
Model = dict[str, Any]


def declared() -> frozenset[str]:
    """Every operation that a declaration or this package itself may call, as ``service:method``."""
    kinds = (kind for kind in resource_types() if isinstance(kind, ResourceType))
    return frozenset({*ALWAYS, *(operation for kind in kinds for read in kind.reads for operation in read.operations)})


@cache
def loader() -> Models:
    """The process's one reader of service models."""
    return Models(declared())


class _PlainFiles(botocore.loaders.JSONFileLoader):  # type: ignore[misc]  # the library has no types
    """JSON into plain dictionaries, which keep their order too, at half the price of ordered ones."""

    def _load_file(self, full_path: str, open_method: Any) -> Any:
        if not os.path.isfile(full_path):  # noqa: PTH113  (the library's paths are text)
            return None
        with open_method(full_path, "rb") as file:
            return json.loads(file.read())


class Models(botocore.loaders.Loader):  # type: ignore[misc]  # the library has no types
    """The library's own loader, giving cut models of the named operations. Safe to share by threads."""

    def __init__(self, operations: Iterable[str]) -> None:
        super().__init__(file_loader=_PlainFiles())
        self._wanted: dict[str, set[str]] = {}
        for operation in operations:
            service, _, method = operation.partition(":")
            if service not in CREDENTIALS:
                self._wanted.setdefault(service, set()).add(method)
        self._cut: dict[str, dict[str, Model]] = {}
        self._making = RLock()

    def list_available_services(self, type_name: str) -> list[str]:
        """The services asked at all that have a file of this type: the library would walk the folders of all 400."""
        return [service for service in sorted(CREDENTIALS.union(self._wanted)) if self._has(service, type_name)]

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Model:
        """What the library knows of a service; its operations and their pages as far as they are declared."""
        with self._making:
            if type_name in {SERVICE, PAGINATORS} and service_name in self._wanted:
                return self._pair(service_name)[type_name]
            told: Model = super().load_service_model(service_name, type_name, api_version)
            return told

    def forget(self, service: str) -> None:
        """Let go of what was read of a service; whoever needs it next reads it again."""
        with self._making:
            self._cut.pop(service, None)
            self._drop(service)

    def _pair(self, service: str) -> dict[str, Model]:
        """Model and paginators, from an earlier process or cut now."""
        if service not in self._cut:
            name, digest = f"model-{service}", digest_of((), botocore.__version__, *sorted(self._wanted[service]))
            own = (Path(self.CUSTOMER_DATA_PATH) / service).exists()  # a model of the user's: never kept
            told = None if own else recall(__file__, name, digest)
            if told is None:
                told = self._read(service)
                if not own:
                    remember(__file__, name, digest, told)
            self._cut[service] = told
        return self._cut[service]

    def _read(self, service: str) -> dict[str, Model]:
        wanted = self._wanted[service]
        model = cut(super().load_service_model(service, SERVICE), wanted)
        try:
            pages = super().load_service_model(service, PAGINATORS)["pagination"]
        except (botocore.exceptions.UnknownServiceError, botocore.exceptions.DataNotFoundError):
            pages = {}
        self._drop(service)  # the whole model is what costs; nothing else in the library's own cache does
        kept = {name: page for name, page in pages.items() if botocore.xform_name(name) in wanted}
        return {SERVICE: model, PAGINATORS: {"pagination": kept}}

    def _drop(self, service: str) -> None:
        for key in list(self._cache):
            if any(part == service or str(part).startswith(f"{service}/") for part in key):
                self._cache.pop(key, None)

    def _has(self, service: str, type_name: str) -> bool:
        try:
            return bool(self.list_api_versions(service, type_name))
        except botocore.exceptions.DataNotFoundError:
            return False


def cut(model: Mapping[str, Any], methods: Iterable[str]) -> Model:
    """A service model with these operations alone, the shapes they lead to, and no documentation."""
    wanted = set(methods)
    operations = {
        name: _plain(told) for name, told in model["operations"].items() if botocore.xform_name(name) in wanted
    }
    waiting = [
        told["shape"]
        for operation in operations.values()
        for told in (operation.get("input"), operation.get("output"), *operation.get("errors", ()))
        if told is not None
    ]
    shapes: dict[str, Any] = {}
    while waiting:
        name = waiting.pop()
        if name in shapes:
            continue
        shape = shapes[name] = _plain(model["shapes"][name])
        if "members" in shape:
            shape["members"] = {member: _plain(told) for member, told in shape["members"].items()}
        parts = [
            *shape.get("members", {}).values(),
            *(shape[part] for part in ("member", "key", "value") if part in shape),
        ]
        waiting.extend(part["shape"] for part in parts)
    rest = {name: told for name, told in model.items() if name not in {"operations", "shapes", "examples"}}
    return {**_plain(rest), "operations": operations, "shapes": shapes}


def _plain(told: Mapping[str, Any]) -> Model:
    return {name: value for name, value in told.items() if name not in DOCUMENTED}

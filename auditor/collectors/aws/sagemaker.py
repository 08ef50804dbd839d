"""SageMaker notebook instances: whose key their volumes are under, and whether they reach the internet by themselves."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.domain.reading import Reading, Readings
from auditor.domain.resource_type import Listing, Read, ResourceType


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook instance; ``direct_internet`` is the vendor's word, ``Enabled`` or ``Disabled``."""

    name: Reading[str]
    key: Reading[str | None]
    direct_internet: Reading[str | None]


notebook = ResourceType(
    "aws.sagemaker.notebook",
    version=1,
    title="SageMaker notebook",
    listing=Listing(
        "sagemaker:list_notebook_instances",
        items="NotebookInstances",
        id="NotebookInstanceArn",
        keep=("NotebookInstanceArn", "NotebookInstanceName"),
    ),
    details={
        "described": Read(
            "sagemaker:describe_notebook_instance",
            NotebookInstanceName="{NotebookInstanceName}",
            keep=("KmsKeyId", "DirectInternetAccess"),
        ),
    },
)


@notebook.document
def describe_notebook(seen: Readings) -> Notebook:
    """The notebook; without a key of its own its volume is under a key that AWS holds."""
    return Notebook(
        name=seen["NotebookInstanceName"],
        key=seen["described"].map(lambda known: known.get("KmsKeyId")),
        direct_internet=seen["described"].map(lambda known: known.get("DirectInternetAccess")),
    )

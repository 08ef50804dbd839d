"""SageMaker notebooks as their evidence shows them."""

from __future__ import annotations

from typing import Any

from auditor.collectors.aws.sagemaker import Notebook, notebook
from auditor.domain.reading import Seen, Unseen


def described(answer: dict[str, Any]) -> Notebook:
    document: Notebook = notebook.describe({"NotebookInstanceName": "study", "described": answer})
    return document


def test_a_notebook_tells_its_key_and_its_path_to_the_internet() -> None:
    seen = described({"KmsKeyId": "k-1", "DirectInternetAccess": "Disabled"})
    assert (seen.key, seen.direct_internet) == (Seen("k-1"), Seen("Disabled"))


def test_a_notebook_without_a_key_was_seen_to_have_none() -> None:
    assert described({"DirectInternetAccess": "Enabled"}).key == Seen(None)


def test_a_notebook_that_may_not_be_described_is_unseen() -> None:
    hidden = described({"$unseen": "AccessDenied sagemaker:DescribeNotebookInstance"})
    assert hidden.key == hidden.direct_internet == Unseen("AccessDenied sagemaker:DescribeNotebookInstance")

"""The root in AWS KMS: keys of tenants are wrapped there, and the root itself never reaches us. The only door to KMS.

One call a tenant and process, when its key is first needed; the tenant is the encryption context, so that a wrapped key
opens for nobody else and each use stands in the provider's log under the tenant's id.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any
from uuid import UUID

from auditor.domain.errors import ConfigurationError


class KmsRoot:
    """Wraps the keys of tenants by a KMS key. Satisfies ``store.keys.Root``.

    Args:
        key_arn: The key; its region is read from here.
        endpoint_url: Another server that speaks KMS; by default what the AWS configuration says.
    """

    kind = "aws-kms"

    def __init__(self, key_arn: str, *, endpoint_url: str | None = None) -> None:
        parts = key_arn.split(":")
        if len(parts) != 6 or parts[0] != "arn" or parts[2] != "kms" or not parts[3]:
            raise ConfigurationError(
                "AUDITOR_KMS_KEY_ARN is no ARN of a KMS key", advice="Write arn:aws:kms:REGION:ACCOUNT:key/ID"
            )
        self._arn = key_arn
        self._region = parts[3]
        self._endpoint_url = endpoint_url

    def wrap(self, tenant: UUID, key: bytes) -> bytes:
        """The key, encrypted by KMS for this tenant."""
        answer = self._ask("encrypt", Plaintext=key, EncryptionContext=_context(tenant))
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, tenant: UUID, wrapped: bytes) -> bytes:
        """The key as it was. Raises ``ConfigurationError`` if KMS does not decrypt it for this tenant."""
        answer = self._ask("decrypt", CiphertextBlob=wrapped, EncryptionContext=_context(tenant))
        return bytes(answer["Plaintext"])

    def _ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  (boto3 costs 134 ms to import)

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(KeyId=self._arn, **parameters)
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise ConfigurationError(
                f"KMS refuses to {operation} a tenant's key: {code}",
                advice="Check that the key is enabled and that its policy lets this process Encrypt and Decrypt",
            ) from error
        except BotoCoreError as error:
            raise ConfigurationError(
                f"KMS cannot be asked to {operation}: {type(error).__name__}", advice="Check the AWS credentials"
            ) from error
        return answer

    @cached_property
    def _client(self) -> Any:
        import boto3  # noqa: PLC0415  (costs 134 ms to import)
        from botocore.config import Config  # noqa: PLC0415  (likewise)

        config = Config(retries={"mode": "standard", "total_max_attempts": 5}, connect_timeout=5, read_timeout=20)
        session = boto3.session.Session()
        return session.client("kms", region_name=self._region, endpoint_url=self._endpoint_url, config=config)


def _context(tenant: UUID) -> dict[str, str]:
    return {"auditor": "tenant key", "tenant": str(tenant)}

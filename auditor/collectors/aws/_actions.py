"""Which IAM action an operation needs: its own name in the vendor's spelling, but for the few listed here.

Source: the service authorisation reference of each service.
"""

from __future__ import annotations

PREFIXES = {
    "s3control": "s3",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "apigatewayv2": "apigateway",
    "stepfunctions": "states",
    "emr": "elasticmapreduce",
    "opensearch": "es",
    "efs": "elasticfilesystem",
    "resourcegroupstaggingapi": "tag",
    "sso-admin": "sso",
    "accessanalyzer": "access-analyzer",
}
"""Client name to action prefix, where they differ."""

RENAMED = {
    "s3:list_buckets": "s3:ListAllMyBuckets",
    "s3:get_bucket_encryption": "s3:GetEncryptionConfiguration",
    "s3:get_bucket_lifecycle_configuration": "s3:GetLifecycleConfiguration",
    "s3:get_bucket_replication": "s3:GetReplicationConfiguration",
    "s3:get_object_lock_configuration": "s3:GetBucketObjectLockConfiguration",
    "s3:get_public_access_block": "s3:GetBucketPublicAccessBlock",
    "s3control:get_public_access_block": "s3:GetAccountPublicAccessBlock",
    # One action reads all of API Gateway.
    "apigateway:get_rest_apis": "apigateway:GET",
    "apigateway:get_resources": "apigateway:GET",
    "apigateway:get_stages": "apigateway:GET",
    "apigatewayv2:get_apis": "apigateway:GET",
    "apigatewayv2:get_stages": "apigateway:GET",
}


def action_of(operation: str, api_name: str) -> str:
    """The IAM action of ``service:operation``, given the API's own spelling of the operation."""
    service = operation.partition(":")[0]
    return RENAMED.get(operation) or f"{PREFIXES.get(service, service)}:{api_name}"

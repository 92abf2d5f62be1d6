"""The key policy with which CloudWatch Logs may encrypt log groups."""

from __future__ import annotations

from components.aws.iam_documents import AccountScope, allow, document


def log_key_policy(region: str, place: AccountScope, *groups: str) -> str:
    """Return KMS's default policy, with a statement for CloudWatch Logs and these log groups only.

    CloudWatch Logs uses a key as a service, so IAM cannot permit it; the key policy must. Source: "Encrypt log data in
    CloudWatch Logs using AWS KMS" in the user guide.
    """
    arns = place.arns("logs", *(f"log-group:{group}" for group in groups))
    return document(
        [
            allow(None, "kms:*", "*", principal={"AWS": place.root}),
            allow(
                None,
                ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                "*",
                {"ArnEquals": {"kms:EncryptionContext:aws:logs:arn": arns if len(arns) > 1 else arns[0]}},
                principal={"Service": f"logs.{region}.amazonaws.com"},
            ),
        ]
    )

"""The policies of a person: before a role is assumed, and on an ordinary day."""

from __future__ import annotations

from components.access.policies.pulumi_state import decrypt_state
from components.aws.iam_documents import ANY_RESOURCE, AccountScope, Statement, allow
from plan.names import APP, person_role


def signed_in(scope: AccountScope, emergency_role: str) -> list[Statement]:
    """Permissions before any role is assumed: manage the own second factor, and assume a role with it.

    They do not include the creation of an access key. The command line signs in through the browser (`aws login`) and
    holds credentials that are valid for minutes.
    """
    own = scope.iam("user/${aws:username}", "mfa/*")
    own_role = "role/" + person_role("${aws:username}")
    return [
        allow(
            "OwnPasswordAndSecondFactor",
            [
                "iam:ChangePassword",
                "iam:CreateVirtualMFADevice",
                "iam:EnableMFADevice",
                "iam:GetMFADevice",
                "iam:GetUser",
                "iam:ListMFADevices",
                "iam:ResyncMFADevice",
            ],
            own,
        ),
        allow("SignInOnTheCommandLine", ["signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token"], ANY_RESOURCE),
        allow(
            "TakeARole",
            ["sts:AssumeRole"],
            scope.iam(own_role, f"role/{emergency_role}"),
            {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        ),
    ]


def daily_work(scope: AccountScope) -> list[Statement]:
    """Permissions of an ordinary day in addition to `read_only`: preview a stack, and set the values of secrets."""
    return [
        *decrypt_state(scope),
        allow(
            "PutValuesOfSecrets",
            ["secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"],
            scope.arns("secretsmanager", f"secret:{APP}/*"),
        ),
        # Secrets Manager encrypts the value and its replicas with the permissions of the person. This reads nothing:
        # Secrets Manager decrypts a value for `GetSecretValue` only, which the person may not call.
        allow(
            "UseKeysOfSecrets",
            ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"],
            scope.arns("kms", "key/*"),
            {
                "StringEquals": {
                    "kms:ViaService": [f"secretsmanager.{region}.amazonaws.com" for region in scope.regions]
                }
            },
        ),
        allow("ReportCredentials", ["iam:GenerateCredentialReport"], ANY_RESOURCE),
    ]

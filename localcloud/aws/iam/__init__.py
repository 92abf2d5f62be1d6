"""IAM and STS: who makes a request, and whether policies allow it.

    requests.py, actions.py   a request as the API's operation, parameters, resources and conditions
    dependents.py, keys.py    the permissions that a service needs from its caller, above all on KMS keys
    principals.py             the user or the role's session that makes it
    evaluation.py             IAM's rules: policies, boundaries, conditions
    authorizer.py             allows or refuses a request
    sessions.py, sts.py       sessions in roles: who gets one, and when it ends
    oidc_tokens.py            tokens of other issuers (OpenID Connect)
    users.py, managed_policies.py   patches of moto

Importing this package changes nothing.
"""

from __future__ import annotations

from localcloud.aws.iam import managed_policies, sts, users


def patch() -> None:
    """Wrap the methods that moto's IAM gets wrong."""
    for subject in (users, managed_policies, sts):
        subject.patch()

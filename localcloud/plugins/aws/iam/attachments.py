"""The attachment of a managed policy to a role or a user: one form for both."""

from __future__ import annotations

from typing import Final, Literal

from localcloud.plugins.aws.common import call_or_none, gone_at
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType

NO_ENTITY: Final = "NoSuchEntity"
"""The code with which IAM answers that a role, a user or a policy does not exist."""


def attachment_type(token: str, principal: Literal["role", "user"]) -> ResourceType:
    """A resource type whose id is `PRINCIPAL/POLICY_ARN`."""
    parameter = f"{principal.capitalize()}Name"

    def attached(cloud: Cloud, name: str, arn: str) -> bool:
        pages = cloud.client("iam").get_paginator(f"list_attached_{principal}_policies").paginate(**{parameter: name})
        return any(policy["PolicyArn"] == arn for page in pages for policy in page["AttachedPolicies"])

    def parts(identity: str) -> tuple[str, str]:
        name, found, arn = identity.partition("/")
        if not found:
            raise RefusedError(f"the id of an attachment is {identity!r}; it must be {principal.upper()}/POLICY_ARN")
        return name, arn

    def create(cloud: Cloud, inputs: Props) -> str:
        attach = getattr(cloud.client("iam"), f"attach_{principal}_policy")
        attach(**{parameter: inputs[principal]}, PolicyArn=inputs["policyArn"])
        return f"{inputs[principal]}/{inputs['policyArn']}"

    def read(cloud: Cloud, identity: str, state: Props) -> Props:
        name, arn = parts(identity)
        with gone_at(NO_ENTITY):
            if not attached(cloud, name, arn):
                raise GoneError(f"the {principal} {name} has no policy {arn}")
        return {"id": identity, principal: name, "policyArn": arn}

    def delete(cloud: Cloud, identity: str, state: Props) -> None:
        name, arn = parts(identity)
        with gone_at(NO_ENTITY):
            getattr(cloud.client("iam"), f"detach_{principal}_policy")(**{parameter: name}, PolicyArn=arn)

    def find(cloud: Cloud, inputs: Props) -> str | None:
        name, arn = inputs[principal], inputs["policyArn"]
        return f"{name}/{arn}" if call_or_none((NO_ENTITY,), attached, cloud=cloud, name=name, arn=arn) else None

    return ResourceType(
        token=token,
        properties={
            principal: Property(required=True, replaces=True),
            "policyArn": Property(required=True, replaces=True),
        },
        create=create,
        read=read,
        delete=delete,
        find=find,
    )

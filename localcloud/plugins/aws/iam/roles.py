"""IAM: roles, their inline policies and attachments. IAM has no regions."""

from __future__ import annotations

from typing import Any, Final

from localcloud.plugins.aws.common import (
    TAGS,
    all_tags,
    call_or_none,
    change_tags,
    document,
    from_tag_list,
    given,
    gone_at,
    same_policy,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.iam.attachments import NO_ENTITY, attachment_type
from localcloud.plugins.table import Property, Props, RefusedError, ResourceType


def _create_role(cloud: Cloud, inputs: Props) -> str:
    cloud.client("iam").create_role(
        RoleName=inputs["name"],
        AssumeRolePolicyDocument=document(inputs["assumeRolePolicy"]),
        Tags=tag_list(all_tags(cloud, inputs)),
        **given(
            inputs,
            {
                "description": "Description",
                "path": "Path",
                "maxSessionDuration": "MaxSessionDuration",
                "permissionsBoundary": "PermissionsBoundary",
            },
        ),
    )
    return str(inputs["name"])


def _read_role(cloud: Cloud, identity: str, state: Props) -> Props:
    iam = cloud.client("iam")
    with gone_at(NO_ENTITY):
        role = iam.get_role(RoleName=identity)["Role"]
    return {
        "id": identity,
        "name": role["RoleName"],
        "arn": role["Arn"],
        "path": role["Path"],
        "uniqueId": role["RoleId"],
        "createDate": role["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": role.get("Description") or "",
        "maxSessionDuration": role.get("MaxSessionDuration", 3600),
        "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        # botocore returns the document parsed.
        "assumeRolePolicy": document(role["AssumeRolePolicyDocument"]),
        **tags_found(cloud, _role_tags(iam, identity), state),
    }


def _update_role(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    iam = cloud.client("iam")
    if "assumeRolePolicy" in changed:
        iam.update_assume_role_policy(RoleName=identity, PolicyDocument=document(new["assumeRolePolicy"]))
    if changed & {"description", "maxSessionDuration"}:
        iam.update_role(
            RoleName=identity,
            Description=new.get("description") or "",
            MaxSessionDuration=new.get("maxSessionDuration") or 3600,
        )
    if "permissionsBoundary" in changed:
        if new.get("permissionsBoundary"):
            iam.put_role_permissions_boundary(RoleName=identity, PermissionsBoundary=new["permissionsBoundary"])
        else:
            iam.delete_role_permissions_boundary(RoleName=identity)
    change_tags(
        cloud,
        _role_tags(iam, identity),
        new,
        lambda tags: iam.tag_role(RoleName=identity, Tags=tag_list(tags)),
        lambda keys: iam.untag_role(RoleName=identity, TagKeys=keys),
    )


def _delete_role(cloud: Cloud, identity: str, state: Props) -> None:
    """Delete a role, after its removal from instance profiles. `forceDetachPolicies` removes its policies too."""
    iam = cloud.client("iam")
    with gone_at(NO_ENTITY):
        for page in iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=identity):
            for profile in page["InstanceProfiles"]:
                iam.remove_role_from_instance_profile(
                    InstanceProfileName=profile["InstanceProfileName"], RoleName=identity
                )
        if state.get("forceDetachPolicies"):
            for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=identity):
                for policy in page["AttachedPolicies"]:
                    iam.detach_role_policy(RoleName=identity, PolicyArn=policy["PolicyArn"])
            for page in iam.get_paginator("list_role_policies").paginate(RoleName=identity):
                for name in page["PolicyNames"]:
                    iam.delete_role_policy(RoleName=identity, PolicyName=name)
        iam.delete_role(RoleName=identity)


def _find_role(cloud: Cloud, inputs: Props) -> str | None:
    found = call_or_none((NO_ENTITY,), cloud.client("iam").get_role, RoleName=inputs["name"])
    return None if found is None else str(found["Role"]["RoleName"])


def _role_tags(iam: Any, name: str) -> dict[str, str]:
    return from_tag_list(iam.list_role_tags(RoleName=name)["Tags"])


def _put_policy(cloud: Cloud, inputs: Props) -> str:
    cloud.client("iam").put_role_policy(
        RoleName=inputs["role"], PolicyName=inputs["name"], PolicyDocument=document(inputs["policy"])
    )
    return f"{inputs['role']}:{inputs['name']}"


def _read_policy(cloud: Cloud, identity: str, state: Props) -> Props:
    role, name = _parts(identity)
    with gone_at(NO_ENTITY):
        found = cloud.client("iam").get_role_policy(RoleName=role, PolicyName=name)
    return {"id": identity, "role": role, "name": name, "policy": document(found["PolicyDocument"])}


def _update_policy(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    _put_policy(cloud, new)


def _delete_policy(cloud: Cloud, identity: str, state: Props) -> None:
    role, name = _parts(identity)
    with gone_at(NO_ENTITY):
        cloud.client("iam").delete_role_policy(RoleName=role, PolicyName=name)


def _find_policy(cloud: Cloud, inputs: Props) -> str | None:
    role, name = inputs["role"], inputs["name"]
    found = call_or_none((NO_ENTITY,), cloud.client("iam").get_role_policy, RoleName=role, PolicyName=name)
    return None if found is None else f"{role}:{name}"


def _parts(identity: str) -> tuple[str, str]:
    role, found, name = identity.partition(":")
    if not found:
        raise RefusedError(f"the id of a role policy is {identity!r}; it must be ROLE:POLICY")
    return role, name


RESOURCES: Final = (
    ResourceType(
        token="aws:iam/role:Role",  # noqa: S106 - a type's name
        properties={
            "name": Property(generated_name=True, replaces=True),
            "assumeRolePolicy": Property(required=True, same=same_policy),
            "description": Property(default=""),
            "path": Property(default="/", replaces=True),
            "maxSessionDuration": Property(default=3600),
            "permissionsBoundary": Property(default=""),
            "forceDetachPolicies": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "createDate", "uniqueId", "tagsAll"),
        create=_create_role,
        read=_read_role,
        update=_update_role,
        delete=_delete_role,
        delete_before_replace=True,
        find=_find_role,
    ),
    ResourceType(
        token="aws:iam/rolePolicy:RolePolicy",  # noqa: S106
        properties={
            "role": Property(required=True, replaces=True),
            "name": Property(generated_name=True, replaces=True),
            "policy": Property(required=True, same=same_policy),
        },
        create=_put_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        delete_before_replace=True,
        find=_find_policy,
    ),
    attachment_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment", "role"),
)

"""IAM: managed policies, users and OpenID Connect providers. Roles are in `roles.py`."""

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
    same_set,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.aws.iam.attachments import NO_ENTITY, attachment_type
from localcloud.plugins.table import Property, Props, RefusedError, ResourceType

# IAM keeps at most five versions of a policy. Delete the oldest before creating a sixth.
_VERSIONS: Final = 5

# -- managed policies -------------------------------------------------------------------------------------------------


def _create_policy(cloud: Cloud, inputs: Props) -> str:
    made = cloud.client("iam").create_policy(
        PolicyName=inputs["name"],
        PolicyDocument=document(inputs["policy"]),
        Tags=tag_list(all_tags(cloud, inputs)),
        **given(inputs, {"description": "Description", "path": "Path"}),
    )
    return str(made["Policy"]["Arn"])


def _read_policy(cloud: Cloud, identity: str, state: Props) -> Props:
    iam = cloud.client("iam")
    with gone_at(NO_ENTITY):
        found = iam.get_policy(PolicyArn=identity)["Policy"]
        version = iam.get_policy_version(PolicyArn=identity, VersionId=found["DefaultVersionId"])["PolicyVersion"]
    return {
        "id": identity,
        "arn": identity,
        "name": found["PolicyName"],
        "path": found["Path"],
        "description": found.get("Description", ""),
        "policy": document(version["Document"]),
        "policyId": found["PolicyId"],
        "attachmentCount": found.get("AttachmentCount", 0),
        **tags_found(cloud, _policy_tags(iam, identity), state),
    }


def _update_policy(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    iam = cloud.client("iam")
    if "policy" in changed:
        versions = iam.list_policy_versions(PolicyArn=identity)["Versions"]
        others = sorted((each for each in versions if not each["IsDefaultVersion"]), key=lambda it: it["CreateDate"])
        if len(versions) >= _VERSIONS:
            iam.delete_policy_version(PolicyArn=identity, VersionId=others[0]["VersionId"])
        iam.create_policy_version(PolicyArn=identity, PolicyDocument=document(new["policy"]), SetAsDefault=True)
    change_tags(
        cloud,
        _policy_tags(iam, identity),
        new,
        lambda tags: iam.tag_policy(PolicyArn=identity, Tags=tag_list(tags)),
        lambda keys: iam.untag_policy(PolicyArn=identity, TagKeys=keys),
    )


def _delete_policy(cloud: Cloud, identity: str, state: Props) -> None:
    iam = cloud.client("iam")
    with gone_at(NO_ENTITY):
        for version in iam.list_policy_versions(PolicyArn=identity)["Versions"]:
            if not version["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=identity, VersionId=version["VersionId"])
        iam.delete_policy(PolicyArn=identity)


def _find_policy(cloud: Cloud, inputs: Props) -> str | None:
    arn = f"arn:aws:iam::{cloud.account}:policy{inputs.get('path') or '/'}{inputs['name']}"
    return arn if call_or_none((NO_ENTITY,), cloud.client("iam").get_policy, PolicyArn=arn) else None


def _policy_tags(iam: Any, arn: str) -> dict[str, str]:
    return from_tag_list(iam.list_policy_tags(PolicyArn=arn)["Tags"])


# -- users ------------------------------------------------------------------------------------------------------------


def _create_user(cloud: Cloud, inputs: Props) -> str:
    cloud.client("iam").create_user(
        UserName=inputs["name"],
        Tags=tag_list(all_tags(cloud, inputs)),
        **given(inputs, {"path": "Path", "permissionsBoundary": "PermissionsBoundary"}),
    )
    return str(inputs["name"])


def _read_user(cloud: Cloud, identity: str, state: Props) -> Props:
    iam = cloud.client("iam")
    with gone_at(NO_ENTITY):
        user = iam.get_user(UserName=identity)["User"]
    return {
        "id": identity,
        "name": user["UserName"],
        "arn": user["Arn"],
        "path": user["Path"],
        "uniqueId": user["UserId"],
        "permissionsBoundary": user.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", ""),
        **tags_found(cloud, _user_tags(iam, identity), state),
    }


def _update_user(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    iam = cloud.client("iam")
    if "permissionsBoundary" in changed:
        raise RefusedError("the local cloud has no mapping for a change of a user's `permissionsBoundary`")
    change_tags(
        cloud,
        _user_tags(iam, identity),
        new,
        lambda tags: iam.tag_user(UserName=identity, Tags=tag_list(tags)),
        lambda keys: iam.untag_user(UserName=identity, TagKeys=keys),
    )


def _delete_user(cloud: Cloud, identity: str, state: Props) -> None:
    """Delete a user. With `forceDestroy`, delete the user's password, MFA devices and access keys first."""
    iam = cloud.client("iam")
    with gone_at(NO_ENTITY):
        if state.get("forceDestroy"):
            for key in iam.list_access_keys(UserName=identity)["AccessKeyMetadata"]:
                iam.delete_access_key(UserName=identity, AccessKeyId=key["AccessKeyId"])
            for device in iam.list_mfa_devices(UserName=identity)["MFADevices"]:
                iam.deactivate_mfa_device(UserName=identity, SerialNumber=device["SerialNumber"])
            if call_or_none((NO_ENTITY,), iam.get_login_profile, UserName=identity):
                iam.delete_login_profile(UserName=identity)
        iam.delete_user(UserName=identity)


def _find_user(cloud: Cloud, inputs: Props) -> str | None:
    found = call_or_none((NO_ENTITY,), cloud.client("iam").get_user, UserName=inputs["name"])
    return str(inputs["name"]) if found else None


def _user_tags(iam: Any, name: str) -> dict[str, str]:
    return from_tag_list(iam.list_user_tags(UserName=name)["Tags"])


# -- OpenID Connect providers -----------------------------------------------------------------------------------------


def _create_oidc_provider(cloud: Cloud, inputs: Props) -> str:
    made = cloud.client("iam").create_open_id_connect_provider(
        Url=inputs["url"],
        ClientIDList=inputs["clientIdLists"],
        Tags=tag_list(all_tags(cloud, inputs)),
        **given(inputs, {"thumbprintLists": "ThumbprintList"}),
    )
    return str(made["OpenIDConnectProviderArn"])


def _read_oidc_provider(cloud: Cloud, identity: str, state: Props) -> Props:
    iam = cloud.client("iam")
    with gone_at(NO_ENTITY):
        found = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=identity)
    return {
        "id": identity,
        "arn": identity,
        # IAM returns the URL without its scheme, and the official provider adds it.
        "url": f"https://{found['Url'].removeprefix('https://')}",
        "clientIdLists": found["ClientIDList"],
        "thumbprintLists": found.get("ThumbprintList", []),
        **tags_found(cloud, _oidc_provider_tags(iam, identity), state),
    }


def _update_oidc_provider(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    iam = cloud.client("iam")
    if "clientIdLists" in changed:
        raise RefusedError("the local cloud has no mapping for a change of `clientIdLists` of an OpenIdConnectProvider")
    if "thumbprintLists" in changed:
        iam.update_open_id_connect_provider_thumbprint(
            OpenIDConnectProviderArn=identity, ThumbprintList=new["thumbprintLists"]
        )
    change_tags(
        cloud,
        _oidc_provider_tags(iam, identity),
        new,
        lambda tags: iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=identity, Tags=tag_list(tags)),
        lambda keys: iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=identity, TagKeys=keys),
    )


def _delete_oidc_provider(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at(NO_ENTITY):
        cloud.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=identity)


def _find_oidc_provider(cloud: Cloud, inputs: Props) -> str | None:
    host = inputs["url"].removeprefix("https://")
    arn = f"arn:aws:iam::{cloud.account}:oidc-provider/{host}"
    get = cloud.client("iam").get_open_id_connect_provider
    return arn if call_or_none((NO_ENTITY,), get, OpenIDConnectProviderArn=arn) else None


def _oidc_provider_tags(iam: Any, arn: str) -> dict[str, str]:
    return from_tag_list(iam.list_open_id_connect_provider_tags(OpenIDConnectProviderArn=arn)["Tags"])


RESOURCES: Final = (
    ResourceType(
        token="aws:iam/policy:Policy",  # noqa: S106 - a type's name
        properties={
            "name": Property(generated_name=True, replaces=True),
            "description": Property(default="", replaces=True),
            "path": Property(default="/", replaces=True),
            "policy": Property(required=True, same=same_policy),
            "tags": TAGS,
        },
        computed=("arn", "attachmentCount", "policyId", "tagsAll"),
        create=_create_policy,
        read=_read_policy,
        update=_update_policy,
        delete=_delete_policy,
        delete_before_replace=True,
        find=_find_policy,
    ),
    ResourceType(
        token="aws:iam/user:User",  # noqa: S106
        properties={
            "name": Property(generated_name=True, replaces=True),
            "path": Property(default="/", replaces=True),
            "permissionsBoundary": Property(default=""),
            "forceDestroy": Property(default=False, write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "tagsAll", "uniqueId"),
        create=_create_user,
        read=_read_user,
        update=_update_user,
        delete=_delete_user,
        delete_before_replace=True,
        find=_find_user,
    ),
    attachment_type("aws:iam/userPolicyAttachment:UserPolicyAttachment", "user"),
    ResourceType(
        token="aws:iam/openIdConnectProvider:OpenIdConnectProvider",  # noqa: S106
        properties={
            "url": Property(required=True, replaces=True),
            "clientIdLists": Property(required=True, same=same_set),
            "thumbprintLists": Property(default=[], same=same_set),
            "tags": TAGS,
        },
        computed=("arn", "tagsAll"),
        create=_create_oidc_provider,
        read=_read_oidc_provider,
        update=_update_oidc_provider,
        delete=_delete_oidc_provider,
        delete_before_replace=True,
        find=_find_oidc_provider,
    ),
)

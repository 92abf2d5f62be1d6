"""Systems Manager: hybrid activations and parameters."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from localcloud.plugins.aws.common import (
    REGION,
    TAGS,
    all_tags,
    call_or_none,
    change_tags,
    client,
    from_tag_list,
    given,
    gone_at,
    locate,
    tag_list,
    tags_found,
)
from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Identity, Property, Props, RefusedError, ResourceType

# -- activations ------------------------------------------------------------------------------------------------------


def _create_activation(cloud: Cloud, inputs: Props) -> str:
    """Create an activation. SSM returns its code only now, so there is no `find`: without its code it is useless."""
    asked = given(
        inputs,
        {
            "name": "DefaultInstanceName",
            "description": "Description",
            "iamRole": "IamRole",
            "registrationLimit": "RegistrationLimit",
        },
    )
    if inputs.get("expirationDate"):
        asked["ExpirationDate"] = datetime.fromisoformat(inputs["expirationDate"])
    made = client(cloud, "ssm", inputs).create_activation(**asked, Tags=tag_list(all_tags(cloud, inputs)))
    return Identity(made["ActivationId"], {"activationCode": made["ActivationCode"]})


def _read_activation(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    wanted = [{"FilterKey": "ActivationIds", "FilterValues": [identity]}]
    listed = cloud.client("ssm", region).describe_activations(Filters=wanted)["ActivationList"]
    if not listed:
        raise GoneError(f"the activation {identity} does not exist in {region}")
    [found] = listed
    return {
        "id": identity,
        "region": region,
        "activationCode": state.get("activationCode", ""),
        "name": found.get("DefaultInstanceName", ""),
        "description": found.get("Description", ""),
        "iamRole": found["IamRole"],
        "registrationLimit": found["RegistrationLimit"],
        "registrationCount": found["RegistrationsCount"],
        "expirationDate": found["ExpirationDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "expired": found["Expired"],
        **tags_found(cloud, from_tag_list(found.get("Tags", [])), state),
    }


def _delete_activation(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at("InvalidActivation"):
        client(cloud, "ssm", state).delete_activation(ActivationId=identity)


def _same_moment(one: Any, other: Any) -> bool:
    return datetime.fromisoformat(str(one)) == datetime.fromisoformat(str(other))


# -- parameters -------------------------------------------------------------------------------------------------------

_NO_PARAMETER: Final = "ParameterNotFound"


def _create_parameter(cloud: Cloud, inputs: Props) -> str:
    """Create a parameter. SSM refuses tags together with `Overwrite`, so `settle` sets them then."""
    tags, overwrite = all_tags(cloud, inputs), bool(inputs.get("overwrite"))
    _put_parameter(cloud, inputs, Overwrite=overwrite, **({} if overwrite else {"Tags": tag_list(tags)}))
    return str(inputs["name"])


def _settle_parameter(cloud: Cloud, identity: str, inputs: Props) -> None:
    if inputs.get("overwrite"):
        _retag(cloud, identity, inputs)


def _put_parameter(cloud: Cloud, inputs: Props, **settings: Any) -> None:
    values = [inputs[key] for key in ("value", "insecureValue") if inputs.get(key) is not None]
    if len(values) != 1:
        raise RefusedError(f"the parameter {inputs['name']} needs one of `value` and `insecureValue`")
    if inputs["type"] == "SecureString":
        if inputs.get("insecureValue") is not None:
            raise RefusedError(f"`insecureValue` of {inputs['name']} cannot be for the `type` SecureString")
        settings |= given(inputs, {"keyId": "KeyId"})
    names = {"description": "Description", "allowedPattern": "AllowedPattern", "dataType": "DataType", "tier": "Tier"}
    client(cloud, "ssm", inputs).put_parameter(
        Name=inputs["name"], Type=inputs["type"], Value=values[0], **given(inputs, names), **settings
    )


def _read_parameter(cloud: Cloud, identity: str, state: Props) -> Props:
    identity, region = locate(cloud, identity, state)
    ssm = cloud.client("ssm", region)
    with gone_at(_NO_PARAMETER):
        found = ssm.get_parameter(Name=identity, WithDecryption=True)["Parameter"]
    wanted = [{"Key": "Name", "Option": "Equals", "Values": [identity]}]
    [described] = ssm.describe_parameters(ParameterFilters=wanted)["Parameters"]
    is_open = bool(state.get("insecureValue"))
    return {
        "id": identity,
        "region": region,
        "name": found["Name"],
        "arn": found["ARN"],
        "type": found["Type"],
        "value": "" if is_open else found["Value"],
        "insecureValue": found["Value"] if is_open else "",
        "version": found["Version"],
        "dataType": found.get("DataType", "text"),
        "description": described.get("Description", ""),
        "allowedPattern": described.get("AllowedPattern", ""),
        "keyId": described.get("KeyId", ""),
        "tier": described.get("Tier", "Standard"),
        "hasValueWo": False,
        **tags_found(cloud, _tags(ssm, identity), state),
    }


def _tags(ssm: Any, identity: str) -> dict[str, str]:
    return from_tag_list(ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=identity)["TagList"])


def _update_parameter(cloud: Cloud, identity: str, old: Props, new: Props, changed: frozenset[str]) -> None:
    if changed - {"overwrite", "tags"}:
        if old.get("tier") == "Advanced" and new.get("tier", "Standard") == "Standard":
            raise RefusedError(
                f"the parameter {identity} cannot change its `tier` from Advanced to Standard; replace it"
            )
        # A change overwrites the parameter, unless the program sets `overwrite` to false.
        kept = {"Description": "", "AllowedPattern": ""}
        lost = {key: value for key, value in kept.items() if new.get(key[0].lower() + key[1:]) is None}
        _put_parameter(cloud, new, Overwrite=new.get("overwrite") is not False, **lost)
    _retag(cloud, identity, new)


def _retag(cloud: Cloud, identity: str, inputs: Props) -> None:
    ssm = client(cloud, "ssm", inputs)
    change_tags(
        cloud,
        _tags(ssm, identity),
        inputs,
        lambda tags: ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=identity, Tags=tag_list(tags)),
        lambda keys: ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=identity, TagKeys=keys),
    )


def _delete_parameter(cloud: Cloud, identity: str, state: Props) -> None:
    with gone_at(_NO_PARAMETER):
        client(cloud, "ssm", state).delete_parameter(Name=identity)


def _find_parameter(cloud: Cloud, inputs: Props) -> str | None:
    found = call_or_none((_NO_PARAMETER,), client(cloud, "ssm", inputs).get_parameter, Name=inputs["name"])
    return None if found is None else str(found["Parameter"]["Name"])


RESOURCES: Final[tuple[ResourceType, ...]] = (
    ResourceType(
        token="aws:ssm/activation:Activation",  # noqa: S106 - a type's name
        # An activation cannot be changed. `expirationDate` and `name` have no default: SSM's choice is not drift.
        properties={
            "region": REGION,
            "name": Property(replaces=True),
            "description": Property(default="", replaces=True),
            "iamRole": Property(required=True, replaces=True),
            "registrationLimit": Property(default=1, replaces=True),
            "expirationDate": Property(replaces=True, same=_same_moment),
            "tags": TAGS,
        },
        computed=("activationCode", "expired", "region", "registrationCount", "tagsAll"),
        create=_create_activation,
        read=_read_activation,
        delete=_delete_activation,
    ),
    ResourceType(
        token="aws:ssm/parameter:Parameter",  # noqa: S106
        properties={
            "region": REGION,
            "name": Property(required=True, replaces=True),
            "type": Property(required=True, choices=("String", "StringList", "SecureString")),
            "value": Property(secret=True),
            "insecureValue": Property(),
            "description": Property(default=""),
            "allowedPattern": Property(default=""),
            "keyId": Property(),
            "tier": Property(default="Standard", choices=("Standard", "Advanced")),
            "dataType": Property(default="text", replaces=True),
            "overwrite": Property(write_only=True),
            "tags": TAGS,
        },
        computed=("arn", "hasValueWo", "region", "tagsAll", "version"),
        create=_create_parameter,
        settle=_settle_parameter,
        read=_read_parameter,
        update=_update_parameter,
        delete=_delete_parameter,
        delete_before_replace=True,
        find=_find_parameter,
    ),
)

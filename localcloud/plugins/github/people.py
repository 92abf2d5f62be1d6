"""The members of an organisation."""

from __future__ import annotations

from typing import Final

from localcloud.plugins.github.cloud import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError, ResourceType


def _path(cloud: Cloud, user: str) -> str:
    return f"/orgs/{cloud.owner}/memberships/{user}"


def _put(cloud: Cloud, inputs: Props) -> None:
    cloud.request("PUT", _path(cloud, inputs["username"]), {"role": inputs.get("role", "member")})


def _create(cloud: Cloud, inputs: Props) -> str:
    _put(cloud, inputs)
    return f"{cloud.owner}:{inputs['username']}"


def _user(identity: str) -> str:
    organisation, _, user = identity.partition(":")
    if not organisation or not user:
        raise RefusedError(f"a Membership is imported as ORGANISATION:USER, not as {identity!r}")
    return user


def _read(cloud: Cloud, identity: str, _state: Props) -> Props:
    found, etag = cloud.get(_path(cloud, _user(identity)))
    return {"id": identity, "username": found["user"]["login"], "role": found["role"], "etag": etag}


def _update(cloud: Cloud, _identity: str, _old: Props, new: Props, _changed: frozenset[str]) -> None:
    _put(cloud, new)


def _delete(cloud: Cloud, identity: str, state: Props) -> None:
    path = _path(cloud, _user(identity))
    if not state.get("downgradeOnDestroy"):
        cloud.delete(path)
    elif cloud.get(path)[0]["role"] != "member":
        cloud.request("PUT", path, {"role": "member"})


def _find(cloud: Cloud, inputs: Props) -> str | None:
    try:
        cloud.get(_path(cloud, inputs["username"]))
    except GoneError:
        return None
    return f"{cloud.owner}:{inputs['username']}"


def _same_login(one: str, other: str) -> bool:
    return one.lower() == other.lower()


MEMBERSHIP: Final = ResourceType(
    token="github:index/membership:Membership",  # noqa: S106 - a type's name
    properties={
        "username": Property(required=True, replaces=True, same=_same_login),
        "role": Property(default="member", choices=("member", "admin")),
        "downgradeOnDestroy": Property(write_only=True),
    },
    computed=("etag",),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    find=_find,
)

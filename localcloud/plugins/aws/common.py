"""Helpers of the AWS tables: regions, tags, policy documents, lists without order, errors, nested inputs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from localcloud.plugins.aws.connection import Cloud
from localcloud.plugins.table import GoneError, Property, Props, RefusedError

REGION: Final = Property(replaces=True)
"""Every regional type has this input. A resource that leaves it out is in the provider's region."""


def client(cloud: Cloud, service: str, props: Props) -> Any:
    """Return the client for the region of the resource with these properties."""
    return cloud.client(service, props.get("region"))


def locate(cloud: Cloud, identity: str, state: Props) -> tuple[str, str]:
    """Return the id and the region of a resource. An import may give `ID@REGION`; a known state has its region."""
    if not state.get("region"):
        plain, found, region = identity.rpartition("@")
        if found and re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d", region):
            return plain, region
    return identity, state.get("region") or cloud.region


def region_of(arn: str) -> str:
    return arn.split(":")[3]


def unfinished(old: Props) -> bool:
    """Whether a step after the creation failed: the engine knows the object, but has never read it."""
    return "arn" not in old


# -- tags -------------------------------------------------------------------------------------------------------------

# Equality: a tag that was added by hand is drift, although every declared tag is there.
TAGS: Final = Property(default={}, same=lambda one, other: bool(one == other))


def all_tags(cloud: Cloud, inputs: Props) -> dict[str, str]:
    """Return the tags of the object: the provider's default tags, overridden by its own."""
    return {**cloud.default_tags, **(inputs.get("tags") or {})}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def from_tag_list(found: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in found}


def tags_found(cloud: Cloud, found: Mapping[str, str], state: Props) -> Props:
    """Return `tags` and `tagsAll` of an object. Its own tags are those that differ from the provider's defaults."""
    shown = {key: value for key, value in found.items() if not _ignored(cloud, key)}
    declared = state.get("tags") or {}
    own = {key: value for key, value in shown.items() if key in declared or cloud.default_tags.get(key) != value}
    return {"tags": own, "tagsAll": shown}


def change_tags(
    cloud: Cloud,
    found: Mapping[str, str],
    inputs: Props,
    put: Callable[[dict[str, str]], Any],
    remove: Callable[[list[str]], Any],
) -> None:
    """Set the declared tags. Tags of AWS, and tags that the provider ignores, stay."""
    wanted = all_tags(cloud, inputs)
    surplus = [key for key in found if key not in wanted and not _ignored(cloud, key)]
    if surplus:
        remove(surplus)
    changed = {key: value for key, value in wanted.items() if found.get(key) != value}
    if changed:
        put(changed)


def _ignored(cloud: Cloud, key: str) -> bool:
    return key.startswith(("aws:", *cloud.ignored_tag_prefixes)) or key in cloud.ignored_tag_keys


# -- equivalent values ------------------------------------------------------------------------------------------------


def same_policy(one: Any, other: Any) -> bool:
    """Whether two policy documents mean the same. A list has no order, and a single value equals a list of one."""
    return bool(_policy(one) == _policy(other))


def document(policy: Any) -> str:
    """Return a policy in the API's form."""
    return policy if isinstance(policy, str) else json.dumps(policy)


def _policy(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    return _meaning(value)


def _meaning(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(key, item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted((_meaning(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(value, bool):  # conditions accept true and "true"
        return str(value).lower()
    return str(value)


def _listed(key: str, value: Any) -> Any:
    if key in ("Version", "Id", "Sid", "Effect"):
        return value
    if isinstance(value, Mapping) and key != "Statement":
        return _meaning(value)
    return _meaning(value if isinstance(value, list) else [value])


def same_set(one: Any, other: Any) -> bool:
    """Whether two lists have the same elements, in any order."""
    return sorted(map(_key, one)) == sorted(map(_key, other))


def _key(value: Any) -> str:
    return json.dumps(_without_empty(value), sort_keys=True)


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_empty(item) for key, item in value.items() if item not in (None, "", [], {})}
    return value


def same_lower(one: Any, other: Any) -> bool:
    """Whether two names are the same to a service that ignores case."""
    return str(one).lower() == str(other).lower()


# -- errors -----------------------------------------------------------------------------------------------------------


def code(error: ClientError) -> str:
    return str(error.response["Error"]["Code"])


@contextmanager
def gone_at(*codes: str) -> Iterator[None]:
    """Raise `GoneError` if the service answers with one of these codes."""
    try:
        yield
    except ClientError as error:
        if code(error) in codes:
            raise GoneError(str(error)) from error
        raise


def call_or_none(codes: tuple[str, ...], call: Any, **arguments: Any) -> Any:
    """Return the answer of a call, or None if the service answers with one of these codes."""
    try:
        return call(**arguments)
    except ClientError as error:
        if code(error) in codes:
            return None
        raise


# -- nested inputs ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Member:
    """One key inside a nested input: its name in the API, and the keys below it.

    `many`: a list of such objects. `tags`: an object that is a list of keys and values in the API.
    """

    name: str
    keys: Mapping[str, Member] | None = None
    many: bool = False
    tags: bool = False


Keys = Mapping[str, Member]


def to_api(keys: Keys, value: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a nested input in the API's form. A key that is not mapped is refused by name."""
    result: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        member = keys.get(key)
        if member is None:
            raise RefusedError(f"the local cloud has no mapping for `{where}.{key}`; it has {', '.join(sorted(keys))}")
        path = f"{where}.{key}"
        if member.tags:
            result[member.name] = tag_list(item)
        elif member.keys is None:
            result[member.name] = item
        elif member.many:
            result[member.name] = [to_api(member.keys, each, f"{path}[{n}]") for n, each in enumerate(item)]
        else:
            result[member.name] = to_api(member.keys, item, path)
    return result


def from_api(keys: Keys, value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a nested input in the program's form, without the keys that are not mapped."""
    result: dict[str, Any] = {}
    for key, member in keys.items():
        item = value.get(member.name)
        if item is None:
            continue
        if member.tags:
            result[key] = from_tag_list(item)
        elif member.keys is None:
            result[key] = item.isoformat().replace("+00:00", "Z") if hasattr(item, "isoformat") else item
        elif member.many:
            result[key] = [from_api(member.keys, each) for each in item]
        else:
            result[key] = from_api(member.keys, item)
    return result


def given(inputs: Props, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the inputs that are present, under the API's names."""
    return {api: inputs[key] for key, api in names.items() if inputs.get(key) is not None}

"""The tables of types know every type that the clouds' packages have, in the versions that this project uses.

They are compared with the packages' source, which has the properties of each type. So an update that brings a new type,
or moves a property, fails here until the table says where that type keeps its data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from policy_pack.rules.residency.aws_types import GLOBAL, WORLDWIDE, is_global, is_worldwide
from policy_pack.rules.residency.hetzner_location import PLACELESS, PLACES
from policy_pack.rules.resource_types import RDS_BACKUP_REPLICATION, RDS_INSTANCE
from tests.policy_pack.resources import DATABASE, REPLICA

IN_THE_PROVIDERS_REGION = {
    # They have no property for a region, and AWS keeps each of them in the provider's region.
    "aws:directconnect/hostedConnection:HostedConnection",
    "aws:rolesanywhere/profile:Profile",
    "aws:rolesanywhere/trustAnchor:TrustAnchor",
}

_TYPE = re.compile(r'@pulumi\.type_token\("([^"]+)"\)')
_ARGUMENTS = re.compile(r"def _internal_init\(__self__,(.*?)__props__=None", re.DOTALL)
_ARGUMENT = re.compile(r"^ +(\w+): ", re.MULTILINE)


def types_of(package: str) -> Iterator[tuple[str, set[str]]]:
    """Every type of resource in a package, and the (camelCase) properties that it can be given."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    for file in Path(spec.origin).parent.rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        for token in _TYPE.finditer(source):
            arguments = _ARGUMENTS.search(source, token.end())
            if arguments is not None:  # enumerations have types too, and no arguments
                yield token[1], {_camel(name) for name in _ARGUMENT.findall(arguments[1])} - {"resourceName", "opts"}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def test_every_type_of_aws_is_in_a_region_or_in_a_table() -> None:
    types = dict(types_of("pulumi_aws"))
    assert len(types) > 1000
    without_region = {type_ for type_, names in types.items() if "region" not in names}
    in_tables = {type_ for type_ in types if is_global(type_) or is_worldwide(type_)}
    assert without_region - in_tables == IN_THE_PROVIDERS_REGION
    # A type with a property for a region must be judged by it.
    assert {type_ for type_ in in_tables - without_region if is_global(type_)} == set()


def test_no_entry_of_the_tables_of_aws_is_idle() -> None:
    paths = {type_.split(":")[1] for type_, _ in types_of("pulumi_aws")}
    known = paths | {path.partition("/")[0] for path in paths}
    assert GLOBAL - known == set()
    assert WORLDWIDE - known == set()
    assert GLOBAL.isdisjoint(WORLDWIDE)


def test_every_type_of_hetzner_is_in_exactly_one_table() -> None:
    types = dict(types_of("pulumi_hcloud"))
    assert set(PLACES) | PLACELESS == set(types)
    assert PLACELESS.isdisjoint(PLACES)
    for type_, names in types.items():
        told = names & {"location", "homeLocation", "networkZone", "datacenter"}
        assert set(PLACES.get(type_, ())) == told, type_


def test_the_properties_that_the_database_policies_read_exist() -> None:
    types = dict(types_of("pulumi_aws"))
    assert set(DATABASE) <= types[RDS_INSTANCE]
    assert set(REPLICA) <= types[RDS_BACKUP_REPLICATION]

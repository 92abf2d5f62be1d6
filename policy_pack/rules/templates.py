"""The policy on resources that make other resources out of a template, a document or a call.

The policies judge the resources that a program declares. A template declares its resources in a text that AWS reads,
and no policy sees them. So each type that does this is refused by name. An exception can accept one, with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from policy_pack.rules.policy import Finding, Policy, Resource, of_package
from policy_pack.rules.promises import jurisdiction
from policy_pack.rules.values import texts, written

if TYPE_CHECKING:
    from plan import Plan

_DECLARE: Final = "Declare what it makes as resources of the program, which the policies judge."

MAKERS: Final[Mapping[str, str]] = {
    # By module, or by type within one.
    "cloudcontrol/resource": _DECLARE,
    "cloudformation": _DECLARE,
    "serverlessrepository": _DECLARE,
    "servicecatalog/product": _DECLARE,
    "servicecatalog/provisionedProduct": _DECLARE,
    "servicecatalog/provisioningArtifact": _DECLARE,
    "servicecatalog/serviceAction": _DECLARE,
    "sagemaker/project": _DECLARE,
    "datazone/environment": _DECLARE,
    "datazone/environmentProfile": _DECLARE,
    "cfg/conformancePack": _DECLARE,
    "cfg/organizationConformancePack": _DECLARE,
    "cfg/remediationConfiguration": _DECLARE,
    "controltower": _DECLARE,
    "fms/policy": _DECLARE,
    "elasticbeanstalk": "Run the application on the hosts, whose resources the program declares.",
    "lambdamicrovms": "Run the application on the hosts, whose resources the program declares.",
    "eks/addon": "Run the software on the hosts: an add-on installs what its publisher has chosen.",
    "eks/capability": "Run the software on the hosts: a capability makes resources from inside the cluster.",
    "imagebuilder/component": "Use an image of Hetzner, and the cloud-config of the hosts.",
    "ssm/association": "Let the program make the change, or an operator by a documented procedure.",
    "ssm/document": "Let the program make the change, or an operator by a documented procedure.",
    "ssm/maintenanceWindowTask": "Let the program make the change, or an operator by a documented procedure.",
}
"""Types that make resources which the program does not declare, and what to do instead."""

_CALL: Final = re.compile(
    r"\barn:[a-z-]+:(?:states|scheduler):[^:\s]*:[^:\s]*:aws-sdk:([a-z0-9]+:(?:create|run|restore|copy|import|put|register"
    r"|allocate|provision|start)[A-Za-z]*)"
)
"""A step of a state machine, or the target of a schedule, that calls AWS's API to make something."""


def _declared(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    if resource.is_provider:
        return
    path = resource.type.partition(":")[2].partition(":")[0]
    remedy = MAKERS.get(path) or MAKERS.get(path.partition("/")[0])
    if remedy is not None:
        yield Finding("type", resource.type, "a type that makes nothing which the program does not declare", remedy)
    for leaf in texts(resource.props):
        if ":aws-sdk:" in leaf.text:
            for call in dict.fromkeys(_CALL.findall(leaf.text)):
                yield Finding(f"a call in {written(leaf.path)}", call, "calls that make no resource", _DECLARE)


DECLARED: Final = Policy(
    id="resources-declared",
    title="Every resource is declared in a program, and none is made out of a template that no policy reads.",
    severity="critical",
    control="A.5.29",
    promise=jurisdiction,
    remedy="Declare the resources themselves.",
    concerns=of_package("aws"),
    rule=_declared,
    asks_again=None,
)

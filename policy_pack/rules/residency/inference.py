"""Models run in the EU: no inference profile, endpoint or model address leads out of it, wherever it is written.

Where a model runs is decided by a text: the prefix of an inference profile of Bedrock, the host name of an endpoint.
Such texts are in the properties of a resource, in a host's user data, in a variable. So every text is read.

Of Bedrock, `eu.` profiles stay in the EU; `global.`, `us.`, `apac.` and the others do not (Amazon Bedrock User Guide,
"Supported Regions and models for inference profiles"). For OpenAI, EU residency has a separate host
(`eu.api.openai.com`). Of Azure, only an address that names its region can be judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.policy import Finding, Policy, Resource, of_package
from policy_pack.rules.promises import inference
from policy_pack.rules.values import texts, written

if TYPE_CHECKING:
    from plan import Plan

_MAKERS: Final = (
    "ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|nvidia|openai|qwen|stability"
    "|twelvelabs|writer"
)
# A profile is called like its model, with a place in front: eu.anthropic.claude-..., global.amazon.nova-... What comes
# after the maker's name tells it from a host: www.anthropic.com.
_PROFILE: Final = re.compile(rf"(?<![A-Za-z0-9.-])([a-z]{{2,6}}(?:-gov)?)\.(?:{_MAKERS})\.[a-z]{{1,20}}[0-9-]")
_HOST: Final = re.compile(
    r"(?<![A-Za-z0-9.-])((?:[A-Za-z0-9-]+\.)*(?:api\.openai\.com|api\.anthropic\.com|openai\.azure\.com"
    r"|cognitiveservices\.azure\.com|services\.ai\.azure\.com|api\.cognitive\.microsoft\.com"
    r"|generativelanguage\.googleapis\.com|api\.mistral\.ai|api\.cohere\.com|api\.deepseek\.com|openrouter\.ai))"
    r"(?![A-Za-z0-9.-])"
)
_AZURE: Final = (".azure.com", ".microsoft.com")

AZURE_EU: Final = frozenset(
    {
        "austriaeast",
        "belgiumcentral",
        "francecentral",
        "germanywestcentral",
        "italynorth",
        "northeurope",
        "polandcentral",
        "spaincentral",
        "swedencentral",
        "westeurope",
    }
)
"""Regions of Azure in the EU. Not among them: Norway, Switzerland, the United Kingdom."""

EU_HOSTS: Final = frozenset({"eu.api.openai.com"})
"""Hosts of model providers that keep to the EU."""


def _in_eu(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    for leaf in texts(resource.props):
        if "." not in leaf.text:
            continue
        for place in dict.fromkeys(_PROFILE.findall(leaf.text)):
            if place != "eu":
                remedy = "Use the `eu.` profile of the model, or the model itself in a region that the plan allows."
                found = f"an inference profile that begins with {place}."
                yield Finding(written(leaf.path), found, "a profile that begins with eu.", remedy)
        if ".com" in leaf.text or ".ai" in leaf.text:
            for host in dict.fromkeys(_HOST.findall(leaf.text)):
                if not _stays(host.lower()):
                    allowed = "eu.api.openai.com, or a host of Azure that has the name of an EU region in its own"
                    remedy = "Use an endpoint that keeps to the EU: this one does not show where the model runs."
                    yield Finding(f"a model's host in {written(leaf.path)}", host, allowed, remedy)


def _stays(host: str) -> bool:
    if host.endswith(_AZURE):
        return not AZURE_EU.isdisjoint(re.split(r"[.-]", host))
    return host in EU_HOSTS


IN_EU: Final = Policy(
    id="inference-in-eu",
    title="No inference profile and no endpoint runs a model outside the EU.",
    severity="critical",
    control="A.5.29",
    promise=inference,
    remedy="Use `eu.` inference profiles, `eu.api.openai.com`, and endpoints of Azure that name an EU region.",
    concerns=of_package("aws", "hcloud", "github"),
    rule=_in_eu,
    asks_again=None,
)

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
# A profile has the name of its model, with a place in front: eu.anthropic.claude-..., global.amazon.nova-... The part
# after the maker's name distinguishes it from a host, such as www.anthropic.com. A profile of a maker that is not
# listed is recognised by its version (-v1:0) and by a place that Bedrock has.
_PROFILE: Final = re.compile(
    rf"(?<![A-Za-z0-9.-])(?:([a-z]{{2,6}}(?:-gov)?)\.(?:{_MAKERS})\.[a-z]{{1,20}}[0-9-]"
    r"|(us|us-gov|apac|global|jp|au|ca|in|kr|sa|uk|me|af|il|mx)\.[a-z0-9-]{2,20}\.[a-z0-9.-]{1,60}-v[0-9]+(?![a-z]))"
)

MODEL_HOSTS: Final = frozenset(
    {
        "ai-gateway.vercel.sh",
        "aiplatform.googleapis.com",
        "api-inference.huggingface.co",
        "api.ai21.com",
        "api.aleph-alpha.com",
        "api.anthropic.com",
        "api.anyscale.com",
        "api.assemblyai.com",
        "api.cerebras.ai",
        "api.cognitive.microsoft.com",
        "api.cohere.ai",
        "api.cohere.com",
        "api.deepgram.com",
        "api.deepinfra.com",
        "api.deepseek.com",
        "api.elevenlabs.io",
        "api.fireworks.ai",
        "api.friendli.ai",
        "api.groq.com",
        "api.hyperbolic.xyz",
        "api.jina.ai",
        "api.minimax.chat",
        "api.minimax.io",
        "api.minimaxi.com",
        "api.mistral.ai",
        "api.moonshot.ai",
        "api.moonshot.cn",
        "api.nebius.com",
        "api.novita.ai",
        "api.nvidia.com",
        "api.openai.com",
        "api.perplexity.ai",
        "api.portkey.ai",
        "api.reka.ai",
        "api.replicate.com",
        "api.runpod.ai",
        "api.sambanova.ai",
        "api.stability.ai",
        "api.studio.nebius.ai",
        "api.together.ai",
        "api.together.xyz",
        "api.upstage.ai",
        "api.voyageai.com",
        "api.x.ai",
        "api.z.ai",
        "codestral.mistral.ai",
        "cognitiveservices.azure.com",
        "cognitiveservices.azure.us",
        "dashscope-intl.aliyuncs.com",
        "dashscope-us.aliyuncs.com",
        "dashscope.aliyuncs.com",
        "endpoints.huggingface.cloud",
        "gateway.ai.cloudflare.com",
        "generativelanguage.googleapis.com",
        "inference.ai.azure.com",
        "lepton.run",
        "model-api.baseten.co",
        "models.ai.azure.com",
        "models.github.ai",
        "open.bigmodel.cn",
        "openai.azure.com",
        "openai.azure.us",
        "openrouter.ai",
        "router.huggingface.co",
        "services.ai.azure.com",
        "tokenfactory.nebius.com",
    }
)
"""Hosts of model providers, with every host below them. Each is refused, unless it shows that it keeps to the EU."""

_HOST: Final = re.compile(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
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
        for place in dict.fromkeys(one or other for one, other in _PROFILE.findall(leaf.text)):
            if place != "eu":
                remedy = "Use the `eu.` profile of the model, or the model itself in a region that the plan allows."
                found = f"an inference profile that begins with {place}."
                yield Finding(written(leaf.path), found, "a profile that begins with eu.", remedy)
        for host in dict.fromkeys(_HOST.findall(leaf.text)):
            if _serves_models(host.lower()) and not _stays(host.lower()):
                allowed = "eu.api.openai.com, or a host of Azure that has the name of an EU region in its own"
                remedy = "Use an endpoint that keeps to the EU: this one does not show where the model runs."
                yield Finding(f"a model's host in {written(leaf.path)}", host, allowed, remedy)


def _serves_models(host: str) -> bool:
    # Google's hosts have the region in front: europe-west3-aiplatform.googleapis.com.
    labels = host.replace("-aiplatform.", ".aiplatform.").split(".")
    return any(".".join(labels[start:]) in MODEL_HOSTS for start in range(len(labels) - 1))


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

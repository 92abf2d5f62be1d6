"""The explicit providers of AWS, Hetzner and GitHub.

Every stack disables Pulumi's default providers. So a resource without one of these providers is refused; otherwise
environment variables would decide where it is created. The environment supplies only the credentials (AWS_*,
HCLOUD_TOKEN, GITHUB_TOKEN) and the address of an API that is not the public one (AWS_ENDPOINT_URL, HCLOUD_ENDPOINT,
GITHUB_BASE_URL). So the program is the same for every cloud, and its configuration contains no secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pulumi

if TYPE_CHECKING:
    import pulumi_aws
    import pulumi_github
    import pulumi_hcloud

# The packages are imported where they are used: each takes a good part of a second of every run of every stack, and a
# stack does not need all of them.


def aws(*, region: str, tags: dict[str, str]) -> pulumi_aws.Provider:
    """AWS in one region. Every resource that can have tags gets `tags`, in addition to its own."""
    import pulumi_aws

    return pulumi_aws.Provider(
        "aws",
        region=region,
        default_tags=pulumi_aws.ProviderDefaultTagsArgs(tags=tags),
        # The SDK's default is True. With False, a region that does not exist is refused by name and does not time out.
        skip_region_validation=False,
    )


def hetzner() -> pulumi_hcloud.Provider:
    """Hetzner Cloud. The token selects the project."""
    import pulumi_hcloud

    return pulumi_hcloud.Provider("hetzner")


def github(*, owner: str) -> pulumi_github.Provider:
    """GitHub, for one organisation."""
    import pulumi_github

    # The SDK would copy GITHUB_TOKEN into the provider's inputs, and so into the state, where every reader of the state
    # finds it and where it is used after it was replaced. The plugin reads the variable itself.
    return pulumi_github.Provider("github", owner=owner, opts=pulumi.ResourceOptions(transformations=[_without_token]))


def _without_token(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
    return pulumi.ResourceTransformationResult({**args.props, "token": None}, args.opts)

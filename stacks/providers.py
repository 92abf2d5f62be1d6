"""The clouds' providers, each told where to go.

Every stack turns Pulumi's default providers off, so a resource that is not given one of these is refused instead of
landing wherever an environment variable points. From the environment come only the credentials (AWS_*, HCLOUD_TOKEN,
GITHUB_TOKEN) and, where it is not the public one, the address of an API (AWS_ENDPOINT_URL, HCLOUD_ENDPOINT,
GITHUB_BASE_URL). The program is thus the same for every cloud, and no secret is in its configuration.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pulumi_aws
    import pulumi_github
    import pulumi_hcloud

# The packages are imported where they are used: each costs every run of every stack a good part of a second, and the
# vault needs only one of them.


def aws(*, region: str, tags: dict[str, str]) -> pulumi_aws.Provider:
    """AWS in one region. Every resource that can have tags gets `tags`, beside its own."""
    import pulumi_aws

    return pulumi_aws.Provider(
        "aws",
        region=region,
        default_tags=pulumi_aws.ProviderDefaultTagsArgs(tags=tags),
        # The SDK's default is True. A region that does not exist should be refused by name, not time out.
        skip_region_validation=False,
    )


def hetzner() -> pulumi_hcloud.Provider:
    """Hetzner Cloud. Its token belongs to one project, so there is nothing else to say."""
    import pulumi_hcloud

    return pulumi_hcloud.Provider("hetzner")


def github(*, owner: str) -> pulumi_github.Provider:
    """GitHub, for one organisation."""
    import pulumi_github

    return pulumi_github.Provider("github", owner=owner)

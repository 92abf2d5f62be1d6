"""Which types of AWS resources are in no region of the program's choosing, and what that means for residency.

Nearly every resource of AWS is in a region: its own `region`, or its provider's. The types here are the others. Each is
in one of two tables, by whole modules (`iam`) where all of a module is alike, and otherwise by type
(`s3/accountPublic...`). A type that is in neither is judged by the region that it, or its provider, has.
"""

from __future__ import annotations

from typing import Final

GLOBAL: Final[frozenset[str]] = frozenset(
    {
        # Who may do what. Kept by AWS for the account as a whole; nothing of a customer's is in it.
        "iam",
        "organizations",
        "account",
        "ram/sharingWithOrganization",
        "s3/accountPublicAccessBlock",
        # Switches and forms of the account or of the organisation.
        "backup/globalSettings",
        "bedrock/useCaseForModelAccess",
        "cloudtrail/organizationDelegatedAdminAccount",
        "ec2/vpcIpamOrganizationAdminAccount",
        "fms/adminAccount",
        "notifications/organizationsAccess",
        "servicecatalog/organizationsAccess",
        "uxc/accountCustomizations",
        # Public names, which everybody may ask for. Resolvers and their rules, in the same module, are in a region.
        "route53/cidrCollection",
        "route53/cidrLocation",
        "route53/delegationSet",
        "route53/healthCheck",
        "route53/hostedZoneDnsSec",
        "route53/keySigningKey",
        "route53/queryLog",
        "route53/record",
        "route53/recordsExclusive",
        "route53/trafficPolicy",
        "route53/trafficPolicyInstance",
        "route53/vpcAssociationAuthorization",
        "route53/zone",
        "route53/zoneAssociation",
        "route53domains",
        # Protection against floods of traffic, attached to resources that are judged themselves.
        "shield",
        # Money. A report goes to a bucket, whose region is judged as an argument.
        "bcmdata",
        "billing",
        "budgets",
        "costexplorer",
        "costoptimizationhub",
        "cur",
        "pricingplanmanager",
        "savingsplans",
    }
)
"""Accepted without a region: AWS keeps them for the account as a whole, and no customer's data is in them."""

WORLDWIDE: Final[frozenset[str]] = frozenset(
    {
        # Take in, and keep copies of, what passes through them at edge locations all over the world.
        "cloudfront",
        "globalaccelerator",
        # The rules for the first of these.
        "waf",
        # One network over whichever regions a policy document names.
        "networkmanager",
        "directconnect/gateway",
        # Clusters that AWS spreads over five regions, four of them outside the EU.
        "route53recoverycontrol",
        "route53recoveryreadiness",
        # Keep events or recordings where AWS chooses.
        "chime/sdkvoiceGlobalSettings",
        "notifications",
    }
)
"""Refused: what goes through them, or is in them, is held by AWS outside the EU as well, whatever region is set."""


def is_global(type_: str) -> bool:
    """Whether AWS keeps a type for the account as a whole."""
    return _within(type_, GLOBAL)


def is_worldwide(type_: str) -> bool:
    """Whether a type cannot be held to the EU. What is also in `GLOBAL` by its own name can."""
    return _within(type_, WORLDWIDE) and not is_global(type_)


def _within(type_: str, table: frozenset[str]) -> bool:
    # aws:s3/accountPublicAccessBlock:AccountPublicAccessBlock
    path = type_.partition(":")[2].partition(":")[0]
    return path in table or path.partition("/")[0] in table

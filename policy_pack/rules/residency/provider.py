"""The policy on providers: each is covered by a residency policy, or its types are allowed by name.

The residency policies know AWS and Hetzner. A resource of another cloud would pass all of them, wherever it is. A type
without a place to choose is allowed by name: at GitHub, source code and deployment configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from policy_pack.rules.policy import Finding, Policy, Resource, package_of
from policy_pack.rules.promises import jurisdiction

if TYPE_CHECKING:
    from plan import Plan

JUDGED: Final = frozenset({"aws", "hcloud"})
"""Packages whose resources are judged by separate residency policies."""

GITHUB: Final = frozenset(
    {
        "actionsEnvironmentSecret", "actionsEnvironmentVariable", "actionsHostedRunner",
        "actionsOrganizationOidcSubjectClaimCustomizationTemplate", "actionsOrganizationPermissions",
        "actionsOrganizationSecret", "actionsOrganizationSecretRepositories", "actionsOrganizationSecretRepository",
        "actionsOrganizationVariable", "actionsOrganizationVariableRepositories",
        "actionsOrganizationVariableRepository", "actionsOrganizationWorkflowPermissions",
        "actionsRepositoryAccessLevel", "actionsRepositoryOidcSubjectClaimCustomizationTemplate",
        "actionsRepositoryPermissions", "actionsRunnerGroup", "actionsSecret", "actionsVariable",
        "appInstallationRepositories", "appInstallationRepository", "branch", "branchDefault", "branchProtection",
        "branchProtectionV3", "dependabotOrganizationSecret", "dependabotOrganizationSecretRepositories",
        "dependabotOrganizationSecretRepository", "dependabotSecret", "emuGroupMapping",
        "enterpriseActionsPermissions", "enterpriseActionsRunnerGroup", "enterpriseActionsWorkflowPermissions",
        "enterpriseIpAllowListEntry", "enterpriseOrganization", "enterpriseSecurityAnalysisSettings", "issue",
        "issueLabel", "issueLabels", "membership", "organizationBlock", "organizationCustomProperties",
        "organizationCustomRole", "organizationProject", "organizationRepositoryRole", "organizationRole",
        "organizationRoleTeam", "organizationRoleTeamAssignment", "organizationRoleUser", "organizationRuleset",
        "organizationSecurityManager", "organizationSettings", "organizationWebhook", "projectCard", "projectColumn",
        "release", "repository", "repositoryAutolinkReference", "repositoryCollaborator", "repositoryCollaborators",
        "repositoryCustomProperty", "repositoryDependabotSecurityUpdates", "repositoryDeployKey",
        "repositoryDeploymentBranchPolicy", "repositoryEnvironment", "repositoryEnvironmentDeploymentPolicy",
        "repositoryFile", "repositoryMilestone", "repositoryPages", "repositoryProject", "repositoryPullRequest",
        "repositoryRuleset", "repositoryTopics", "repositoryVulnerabilityAlerts", "repositoryWebhook", "team",
        "teamMembers", "teamMembership", "teamRepository", "teamSettings", "teamSyncGroupMapping", "userGpgKey",
        "userInvitationAccepter", "userSshKey", "workflowRepositoryPermissions",
    }
)  # fmt: skip
"""What GitHub keeps for us as the plan says: source code, and who may change and deploy it. No customer's data."""

GITHUB_ELSEWHERE: Final = frozenset(
    {
        "codespacesOrganizationSecret",
        "codespacesOrganizationSecretRepositories",
        "codespacesSecret",
        "codespacesUserSecret",
    }
)
"""Refused: machines of GitHub's, in regions that it and each person choose."""

ENGINE: Final = frozenset(
    {
        "pulumi:pulumi:Stack",
        "pulumi:pulumi:StackReference",
        "pulumi:providers:pulumi",
        "pulumi:providers:github",
        "pulumi:index:Stash",
    }
)
"""The engine's own: stacks, references to them, and what it keeps in its state."""


def _accepted(type_: str) -> bool:
    if type_ in ENGINE:
        return True
    # github:index/repository:Repository
    module = type_.removeprefix("github:index/")
    return module != type_ and module.partition(":")[0] in GITHUB


def _provider_allowed(resource: Resource, _plan: Plan) -> Iterator[Finding]:
    # A component has a type of our own and no provider: it is judged by what is inside it.
    if resource.provider is None and not resource.is_provider and resource.package not in ("github", "pulumi"):
        return
    if resource.package == "github":
        remedy = "Remove it, or find out where GitHub keeps it and add it to `policy_pack/rules/residency/provider.py`."
        yield Finding("type", resource.type, "a type that keeps nothing but code and its configuration", remedy)
    elif resource.package == "pulumi":
        remedy = "Find out where it keeps what it is given, and add it to `policy_pack/rules/residency/provider.py`."
        yield Finding("type", resource.type, "a type of the engine that is known by name", remedy)
    else:
        remedy = "Use one of these, or write the policy that judges where this one keeps its resources."
        allowed = f"one of {', '.join(sorted(JUDGED | {'github', 'pulumi'}))}"
        yield Finding("the package of its provider", resource.package, allowed, remedy)


PROVIDER_ALLOWED: Final = Policy(
    id="provider-allowed",
    title="Every resource belongs to a provider with a residency policy, or its type is allowed by name.",
    severity="critical",
    control="A.5.29",
    promise=jurisdiction,
    remedy="Use a provider with a residency policy, or add such a policy.",
    concerns=lambda type_: not (package_of(type_) in JUDGED or _accepted(type_)),
    rule=_provider_allowed,
)

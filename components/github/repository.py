"""The source code and the deployment configuration, from which everything else can be rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_github as github

# The application whose checks count: GitHub Actions, by its id on github.com. A person with write access can set a
# status of any name, but only a workflow can report as this application.
_GITHUB_ACTIONS = 15368


@dataclass(frozen=True, kw_only=True)
class CodeRepositoryArgs:
    """The repository, and the approvals and checks that a change needs.

    Raises:
        ValueError: a change would need no approval.
    """

    repository: str
    """The repository's name in the provider's organisation."""

    description: str

    required_approvals: int
    """The number of approvals by others that a change needs, at least 1."""

    required_checks: Sequence[str] = ()
    """The names of the jobs that must pass. Each must run for every change: a missing report blocks the change."""

    owners_may_bypass: bool = False
    """Whether an owner may merge a pull request without an approval, which GitHub records."""

    secret_scanning: bool = False
    """Whether GitHub looks for secrets in pushes, and refuses them. For a private repository it is a paid product."""

    def __post_init__(self) -> None:
        if self.required_approvals < 1:
            raise ValueError(f"required_approvals is {self.required_approvals}; at least 1 is needed")


class CodeRepository(pulumi.ComponentResource):
    """A private repository whose history cannot be rewritten, and in which every change needs an approval.

    A recovery rebuilds everything from this repository, so the loss of it, or an unknown change in it, prevents the
    recovery. The rules apply to administrators too. With `owners_may_bypass` there is one exception: an owner of the
    organisation can merge a pull request without an approval, because of two people one may be missing. Use it only
    where deployments need a separate approval.

    GitHub looks for known weaknesses in the repository's dependencies, and proposes updates.
    """

    url: pulumi.Output[str]
    repository_name: pulumi.Output[str]

    def __init__(self, name: str, args: CodeRepositoryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:code:CodeRepository", name, {}, opts)

        repository = github.Repository(
            name,
            name=args.repository,
            description=args.description,
            visibility="private",
            has_issues=True,
            # The provider does not change a switch that is not declared, so each important one is declared.
            has_projects=False,
            has_wiki=False,
            allow_merge_commit=False,
            allow_rebase_merge=False,
            allow_squash_merge=True,
            allow_auto_merge=False,
            delete_branch_on_merge=True,
            security_and_analysis=github.RepositorySecurityAndAnalysisArgs(
                secret_scanning=github.RepositorySecurityAndAnalysisSecretScanningArgs(status="enabled"),
                secret_scanning_push_protection=(
                    github.RepositorySecurityAndAnalysisSecretScanningPushProtectionArgs(status="enabled")
                ),
            )
            if args.secret_scanning
            else None,
            # Deleting the resource would delete the repository. Pulumi refuses that. Without the protection it only
            # forgets the repository, and without `retain_on_delete` GitHub archives it.
            archive_on_destroy=True,
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
        self._protect_default_branch(name, repository, args)
        alerts = github.RepositoryVulnerabilityAlerts(
            name, repository=repository.name, enabled=True, opts=pulumi.ResourceOptions(parent=self)
        )
        github.RepositoryDependabotSecurityUpdates(
            name,
            repository=repository.name,
            enabled=True,
            # GitHub makes updates from alerts, and refuses updates without them.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[alerts]),
        )

        self.url = repository.html_url
        self.repository_name = repository.name
        self.register_outputs({"url": self.url})

    def _protect_default_branch(self, name: str, repository: github.Repository, args: CodeRepositoryArgs) -> None:
        github.RepositoryRuleset(
            name,
            name="default-branch",
            repository=repository.name,
            target="branch",
            enforcement="active",
            conditions=github.RepositoryRulesetConditionsArgs(
                ref_name=github.RepositoryRulesetConditionsRefNameArgs(includes=["~DEFAULT_BRANCH"], excludes=[])
            ),
            bypass_actors=[
                github.RepositoryRulesetBypassActorArgs(actor_type="OrganizationAdmin", bypass_mode="pull_request")
            ]
            if args.owners_may_bypass
            else [],
            rules=github.RepositoryRulesetRulesArgs(
                deletion=True,
                non_fast_forward=True,
                required_linear_history=True,
                pull_request=github.RepositoryRulesetRulesPullRequestArgs(
                    required_approving_review_count=args.required_approvals,
                    # An approval does not cover commits that are pushed after it.
                    dismiss_stale_reviews_on_push=True,
                    require_last_push_approval=True,
                    require_code_owner_review=False,
                    required_review_thread_resolution=True,
                ),
                required_status_checks=github.RepositoryRulesetRulesRequiredStatusChecksArgs(
                    # A change that is behind the branch is updated and checked again before it is merged.
                    strict_required_status_checks_policy=True,
                    required_checks=[
                        github.RepositoryRulesetRulesRequiredStatusChecksRequiredCheckArgs(
                            context=check, integration_id=_GITHUB_ACTIONS
                        )
                        for check in args.required_checks
                    ],
                )
                if args.required_checks
                else None,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )

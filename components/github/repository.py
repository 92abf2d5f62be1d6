"""The source code and the deployment configuration, from which everything else can be rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_github as github

# The application whose checks count: GitHub Actions, by the number that it has everywhere on github.com. Anybody with
# write access can set a status of any name; only a workflow can report as this one.
_GITHUB_ACTIONS = 15368


@dataclass(frozen=True, kw_only=True)
class CodeRepositoryArgs:
    """Which repository, and who has to agree to a change.

    Raises:
        ValueError: a change would need nobody's agreement.
    """

    repository: str
    """The repository's name within the organisation that the provider is given."""

    description: str

    required_approvals: int
    """Approvals of others that a change needs, at least 1."""

    required_checks: Sequence[str] = ()
    """The jobs that have to pass, by name. One that never reports blocks every change, so each runs on every one."""

    def __post_init__(self) -> None:
        if self.required_approvals < 1:
            raise ValueError(f"required_approvals is {self.required_approvals}; at least 1 other person has to agree")


class CodeRepository(pulumi.ComponentResource):
    """A private repository whose history cannot be rewritten and whose changes are seen by two.

    Recovery means rebuilding from this repository, so losing it, or not knowing who changed it, loses the recovery. The
    rules hold for administrators as well, with one exception: an owner of the organisation can merge a pull request
    that nobody has approved. With two people in the company, the other one may be the person who is missing. It stays a
    pull request, and GitHub records who bypassed the rule.

    GitHub looks for known weaknesses in what the repository depends on and proposes the update, and looks for secrets
    in what is pushed, which it refuses.
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
            # A first commit, so that there is a default branch for the rules to hold on.
            auto_init=True,
            has_issues=True,
            # The provider leaves a switch that is not set as it finds it, so every one that matters is written down.
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
            ),
            # Deleting the resource would delete the repository. So Pulumi refuses to; if told to do so nevertheless, it
            # forgets the repository; and if that is lifted too, GitHub archives it.
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
            # Updates are made from alerts: without these, GitHub refuses them.
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
            ],
            rules=github.RepositoryRulesetRulesArgs(
                deletion=True,
                non_fast_forward=True,
                required_linear_history=True,
                pull_request=github.RepositoryRulesetRulesPullRequestArgs(
                    required_approving_review_count=args.required_approvals,
                    # An approval is for what was seen. What is pushed after it has to be seen by the other one again.
                    dismiss_stale_reviews_on_push=True,
                    require_last_push_approval=True,
                    require_code_owner_review=False,
                    required_review_thread_resolution=True,
                ),
                required_status_checks=github.RepositoryRulesetRulesRequiredStatusChecksArgs(
                    # What was checked is what will be on the branch: a change that is behind it is checked again.
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

"""The source code and the deployment configuration, from which everything else can be rebuilt."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_github as github


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

    def __post_init__(self) -> None:
        if self.required_approvals < 1:
            raise ValueError(f"required_approvals is {self.required_approvals}; at least 1 other person has to agree")


class CodeRepository(pulumi.ComponentResource):
    """A private repository whose history cannot be rewritten and whose changes are seen by two.

    Recovery means rebuilding from this repository, so losing it, or not knowing who changed it, loses the recovery. The
    rules hold for administrators as well, with one exception: an owner of the organisation can merge a pull request
    that nobody has approved. With two people in the company, the other one may be the person who is missing. It stays a
    pull request, and GitHub records who bypassed the rule.
    """

    url: pulumi.Output[str]

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
            # Deleting the resource would delete the repository. So Pulumi refuses to; if told to do so nevertheless, it
            # forgets the repository; and if that is lifted too, GitHub archives it.
            archive_on_destroy=True,
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )
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
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )

        self.url = repository.html_url
        self.register_outputs({"url": self.url})

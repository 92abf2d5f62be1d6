"""Access to the AWS account: people, workflows, the boundaries of their roles, and the alarm for emergency access."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.access.emergency_alarm import EmergencyAlarm, EmergencyAlarmArgs
from components.access.github_oidc import AUDIENCE, ISSUER, GitHubAccess, GitHubAccessArgs, RepositoryIdentity
from components.access.people import PeopleAccess, PeopleAccessArgs
from components.access.policies.boundaries import deploy_boundary, workload_boundary
from components.access.policies.reading import read_only
from components.aws.iam_documents import MANAGED_POLICY_LIMIT, AccountScope, Statement, document
from plan.names import state_bucket


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """The people, the repository and the stacks, with the limits from the plan."""

    stack: str
    """The vault's stack, which this component belongs to."""

    services: Sequence[str]
    """The other stacks that are deployed to AWS."""

    outside_aws: Sequence[str]
    """The stacks without resources at AWS. Their deployments use AWS only for Pulumi's state."""

    region: str
    """The region of the provider, where the alarm is."""

    regions: Sequence[str]
    """`residency.aws.allowed_regions` of the plan."""

    people: Mapping[str, str]
    """Each person's email address by the name of their user."""

    repository: RepositoryIdentity
    state_bucket: str | None
    """The configured name of the bucket with Pulumi's state. None selects the name that is derived from the account."""

    emergency_role: str
    """`access.emergency_role` of the plan."""

    emergency_session_hours: int
    """`access.emergency_session_hours` of the plan."""

    key_deletion_window_days: int
    record_days: int
    record_lock_days: int
    """The same fields as in `EmergencyAlarmArgs`."""


class Access(pulumi.ComponentResource):
    """Every way into the account.

    Access outlives production and the loss of it, so it belongs to the vault's stack. IAM is global; the regional
    resources (the alarm and its records) are in the recovery region. A person makes the first deployment as the
    account's root user, which is not needed again. When a workflow deploys the vault, it can read these resources but
    not change them: a person with the emergency role deploys a change of access, so both people see it.
    """

    workload_boundary_arn: pulumi.Output[str]
    """The permissions boundary that every role of a deployment has to carry."""

    break_glass_arn: pulumi.Output[str]
    role_arns: Mapping[str, pulumi.Output[str]]
    alarm_topic_arn: pulumi.Output[str]
    issuer_arn: pulumi.Output[str]
    """The account's OIDC provider for GitHub's tokens."""

    state_bucket_name: pulumi.Output[str]
    """The bucket of Pulumi's state. Every role with the read-only policy reads it."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:Access", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

        # The issuer comes first, because its ARN contains the account: a preview then needs no call to AWS.
        issuer = aws.iam.OpenIdConnectProvider(
            name, url=f"https://{ISSUER}", client_id_lists=[AUDIENCE], tags={"Name": name}, opts=guarded
        )
        scope = issuer.arn.apply(lambda arn: AccountScope.of(arn, args.regions))
        self.state_bucket_name = scope.apply(lambda scope: state_bucket(scope.account, args.state_bucket))

        def policy(policy_name: str, description: str, statements: pulumi.Output[list[Statement]]) -> aws.iam.Policy:
            return aws.iam.Policy(
                f"{name}-{policy_name}",
                name=f"botbrains-{policy_name}",
                description=description,
                policy=statements.apply(lambda known: document(known, MANAGED_POLICY_LIMIT)),
                opts=guarded,
            )

        reading_policy = policy(
            "reading",
            # IAM cannot change the description of a policy, and Pulumi would replace the policy, so this text stays:
            "What is there, and no content",
            pulumi.Output.all(scope, self.state_bucket_name).apply(lambda known: read_only(*known)),
        )
        deploy_limit = policy(
            "deploy-boundary",
            "What no deployment can do",
            scope.apply(lambda scope: deploy_boundary(scope, args.emergency_role)),
        )
        workload_limit = policy(
            "workload-boundary", "What no role that a deployment makes can do", scope.apply(workload_boundary)
        )
        workflows = GitHubAccess(
            f"{name}-github",
            GitHubAccessArgs(
                issuer_arn=issuer.arn,
                repository=args.repository,
                vault=args.stack,
                services=args.services,
                outside_aws=args.outside_aws,
                scope=scope,
                state_bucket=self.state_bucket_name,
                reading_policy_arn=reading_policy.arn,
                deploy_boundary_arn=deploy_limit.arn,
                workload_boundary_arn=workload_limit.arn,
            ),
            opts=guarded,
        )
        people = PeopleAccess(
            f"{name}-people",
            PeopleAccessArgs(
                people=list(args.people),
                scope=scope,
                emergency_region=args.region,
                emergency_role=args.emergency_role,
                emergency_session_hours=args.emergency_session_hours,
                reading_policy_arn=reading_policy.arn,
            ),
            opts=guarded,
        )
        alarm = self._alarm(name, args, people.break_glass_arn)

        self.workload_boundary_arn = workload_limit.arn
        self.break_glass_arn = people.break_glass_arn
        self.role_arns = {**workflows.role_arns, **people.role_arns}
        self.alarm_topic_arn = alarm.topic_arn
        self.issuer_arn = issuer.arn
        self.register_outputs(
            {
                "workloadBoundaryArn": self.workload_boundary_arn,
                "breakGlassArn": self.break_glass_arn,
                "roleArns": self.role_arns,
                "alarmTopicArn": self.alarm_topic_arn,
            }
        )

    def _alarm(self, name: str, args: AccessArgs, break_glass_arn: pulumi.Output[str]) -> EmergencyAlarm:
        return EmergencyAlarm(
            f"{name}-alarm",
            EmergencyAlarmArgs(
                region=args.region,
                break_glass_arn=break_glass_arn,
                emails=args.people,
                key_deletion_window_days=args.key_deletion_window_days,
                record_days=args.record_days,
                record_lock_days=args.record_lock_days,
            ),
            opts=pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True),
        )

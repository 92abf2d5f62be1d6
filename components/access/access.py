"""Who may do what in AWS: people and workflows, the limits of both, and the alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.access.emergency_alarm import EmergencyAlarm, EmergencyAlarmArgs
from components.access.github_oidc import AUDIENCE, ISSUER, GitHubAccess, GitHubAccessArgs, RepositoryIdentity
from components.access.people import PeopleAccess, PeopleAccessArgs
from components.access.policies import deploy_boundary, reading, workload_boundary
from components.aws.iam_documents import MANAGED_POLICY_LIMIT, Place, Statement, document
from plan.names import state_bucket


@dataclass(frozen=True, kw_only=True)
class AccessArgs:
    """Who they are, and the numbers of the plan that bound them."""

    stack: str
    """The stack that this is in, the vault's."""

    services: Sequence[str]
    """The other stacks that are deployed."""

    region: str
    """The region of the provider: the alarm's."""

    regions: Sequence[str]
    """`residency.aws.allowed_regions` of the plan."""

    people: Mapping[str, str]
    """Each person's address of e-mail, by the name of their account."""

    repository: RepositoryIdentity
    state_bucket: str | None
    """The configured name of the bucket of Pulumi's state; None when it has the name that follows from the account."""

    emergency_role: str
    """`access.emergency_role` of the plan."""

    emergency_session_hours: int
    """`access.emergency_session_hours` of the plan."""

    key_deletion_window_days: int
    record_days: int
    record_lock_days: int
    """As `EmergencyAlarmArgs` has them."""


class Access(pulumi.ComponentResource):
    """Everything by which somebody gets into the account.

    It outlives production and its loss, so it is in the vault's stack: IAM itself is in no region, and what is in one
    (the alarm, the records) is in the recovery region. The first deployment is done by a person with the account's root
    user; from then on nobody needs that. A deployment of the vault by a workflow may look at all of this and change
    none of it: a change of access is deployed by a person under break-glass, and so is seen by both.
    """

    workload_boundary_arn: pulumi.Output[str]
    """The limit of every role that a deployment makes: without it, no deployment may make one."""

    break_glass_arn: pulumi.Output[str]
    role_arns: Mapping[str, pulumi.Output[str]]
    alarm_topic_arn: pulumi.Output[str]
    issuer_arn: pulumi.Output[str]
    """GitHub's issuer of tokens, as the account knows it."""

    state_bucket_name: pulumi.Output[str]
    """The bucket of Pulumi's state, which every role that looks may read."""

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:Access", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)

        # First of all, because its ARN says the account: so nothing has to be asked while this is planned.
        issuer = aws.iam.OpenIdConnectProvider(
            name, url=f"https://{ISSUER}", client_id_lists=[AUDIENCE], tags={"Name": name}, opts=guarded
        )
        place = issuer.arn.apply(lambda arn: Place.of(arn, args.regions))
        self.state_bucket_name = place.apply(lambda place: state_bucket(place.account, args.state_bucket))

        def policy(policy_name: str, description: str, statements: pulumi.Output[list[Statement]]) -> aws.iam.Policy:
            return aws.iam.Policy(
                f"{name}-{policy_name}",
                name=f"botbrains-{policy_name}",
                description=description,
                policy=statements.apply(lambda known: document(known, MANAGED_POLICY_LIMIT)),
                opts=guarded,
            )

        looking = policy(
            "reading",
            "What is there, and no content",
            pulumi.Output.all(place, self.state_bucket_name).apply(lambda known: reading(*known)),
        )
        deployments = policy(
            "deploy-boundary",
            "What no deployment can do",
            place.apply(lambda place: deploy_boundary(place, args.emergency_role)),
        )
        workloads = policy(
            "workload-boundary", "What no role that a deployment makes can do", place.apply(workload_boundary)
        )
        workflows = GitHubAccess(
            f"{name}-github",
            GitHubAccessArgs(
                issuer_arn=issuer.arn,
                repository=args.repository,
                vault=args.stack,
                services=args.services,
                place=place,
                state_bucket=self.state_bucket_name,
                reading_policy_arn=looking.arn,
                deploy_boundary_arn=deployments.arn,
                workload_boundary_arn=workloads.arn,
            ),
            opts=guarded,
        )
        people = PeopleAccess(
            f"{name}-people",
            PeopleAccessArgs(
                people=list(args.people),
                place=place,
                emergency_region=args.region,
                emergency_role=args.emergency_role,
                emergency_session_hours=args.emergency_session_hours,
                reading_policy_arn=looking.arn,
            ),
            opts=guarded,
        )
        alarm = EmergencyAlarm(
            f"{name}-alarm",
            EmergencyAlarmArgs(
                region=args.region,
                break_glass_arn=people.break_glass_arn,
                emails=args.people,
                key_deletion_window_days=args.key_deletion_window_days,
                record_days=args.record_days,
                record_lock_days=args.record_lock_days,
            ),
            opts=guarded,
        )

        self.workload_boundary_arn = workloads.arn
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

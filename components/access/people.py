"""AWS users and roles for people: a user and a daily role for each person, and one role for an emergency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components.access.policies.people import daily_work, signed_in
from components.aws.iam_documents import (
    INLINE_POLICY_LIMIT,
    MANAGED_POLICY_LIMIT,
    AccountScope,
    document,
    managed_policy,
    trust,
)
from plan.names import person_role

# One working day. Longer work needs the second factor again.
_PERSON_SESSION_SECONDS: Final = 12 * 3600
# The emergency role has every permission, so its second factor must be recent, not from the morning.
_FRESH_MFA_SECONDS: Final = 3600


@dataclass(frozen=True, kw_only=True)
class PeopleAccessArgs:
    """The people, and the role and region for an emergency.

    Raises:
        ValueError: there are fewer than two people, so that one could not replace the other.
    """

    people: Sequence[str]
    """The names of their IAM users."""

    scope: pulumi.Input[AccountScope]
    """The account, and the regions where the stacks may be. It is known before the users exist."""

    emergency_region: str
    """The only region through which the emergency role can be assumed: the alarm receives events of this region."""

    emergency_role: str
    """`access.emergency_role` of the plan."""

    emergency_session_hours: int
    """`access.emergency_session_hours` of the plan, 1 to 12."""

    reading_policy_arn: pulumi.Input[str]

    def __post_init__(self) -> None:
        if len(set(self.people)) < 2:
            raise ValueError(
                f"people are {list(self.people)}; at least 2 are needed, so that one can replace the other"
            )


class PeopleAccess(pulumi.ComponentResource):
    """A user with few permissions and a daily role for each person, and one emergency role for all of them.

    A user has no access key and no permission to create one: a stolen key stays valid until the theft is noticed. A
    user can only manage their own second factor and, with it, assume a role.

    The daily role reads, and sets the values of secrets. Every other change goes through the repository, where the
    other person reviews it. That rule must not prevent one person from recovering alone. So each person can assume the
    emergency role, which has every permission, without an approval. Its session expires and carries the name of the
    user, its calls are recorded where they cannot be deleted, and every person receives an email within minutes
    (`emergency_alarm.py`).
    """

    break_glass_arn: pulumi.Output[str]
    role_arns: Mapping[str, pulumi.Output[str]]
    """The ARNs of the daily roles by the names of the roles."""

    def __init__(self, name: str, args: PeopleAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:PeopleAccess", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        scope = pulumi.Output.from_input(args.scope)

        signed_in_policy = aws.iam.Policy(
            f"{name}-signed-in",
            name="botbrains-signed-in",
            description="What a person may do before taking a role",
            policy=scope.apply(lambda scope: document(signed_in(scope, args.emergency_role), MANAGED_POLICY_LIMIT)),
            opts=guarded,
        )
        users: dict[str, pulumi.Output[str]] = {}
        roles: dict[str, pulumi.Output[str]] = {}
        for person in args.people:
            user = aws.iam.User(
                f"{name}-{person}", name=person, force_destroy=False, tags={"Name": person}, opts=guarded
            )
            aws.iam.UserPolicyAttachment(
                f"{name}-{person}", user=user.name, policy_arn=signed_in_policy.arn, opts=guarded
            )
            role_name = person_role(person)
            role = aws.iam.Role(
                f"{name}-{role_name}",
                name=role_name,
                description=f"The daily work of {person}",
                assume_role_policy=user.arn.apply(lambda arn: trust({"AWS": [arn]}, _WITH_MFA, sid="People")),
                max_session_duration=_PERSON_SESSION_SECONDS,
                tags={"Name": role_name},
                opts=guarded,
            )
            aws.iam.RolePolicyAttachment(
                f"{name}-{role_name}-reading", role=role.name, policy_arn=args.reading_policy_arn, opts=guarded
            )
            aws.iam.RolePolicy(
                f"{name}-{role_name}",
                name="own",
                role=role.name,
                policy=scope.apply(lambda scope: document(daily_work(scope), INLINE_POLICY_LIMIT)),
                opts=guarded,
            )
            users[person], roles[role_name] = user.arn, role.arn

        break_glass = aws.iam.Role(
            f"{name}-break-glass",
            name=args.emergency_role,
            description="Every permission, for one person alone in an emergency. Assuming it notifies every person",
            assume_role_policy=pulumi.Output.all(*users.values()).apply(
                lambda arns: trust(
                    {"AWS": arns},
                    _WITH_MFA,
                    {"NumericLessThan": {"aws:MultiFactorAuthAge": str(_FRESH_MFA_SECONDS)}},
                    # A call to the global endpoint counts as a call to us-east-1, where the alarm cannot be.
                    {"StringEquals": {"aws:RequestedRegion": args.emergency_region}},
                    # So that the records contain the name of the user.
                    {"StringLike": {"sts:RoleSessionName": "${aws:username}"}},
                    sid="People",
                )
            ),
            max_session_duration=args.emergency_session_hours * 3600,
            tags={"Name": args.emergency_role},
            opts=guarded,
        )
        aws.iam.RolePolicyAttachment(
            f"{name}-break-glass",
            # By name, so that the policy pack knows the role in a preview, before it exists.
            role=args.emergency_role,
            policy_arn=scope.apply(lambda scope: managed_policy(scope.partition, "AdministratorAccess")),
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[break_glass])),
        )
        self.break_glass_arn = break_glass.arn
        self.role_arns = roles
        self.register_outputs({"breakGlassArn": self.break_glass_arn, "roleArns": self.role_arns})


_WITH_MFA: Final = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

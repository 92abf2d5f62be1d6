"""How people get into AWS: each under a name of their own, with a second factor, and no further than the day needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_aws as aws

from components.access.policies import person, signed_in_person
from components.aws.iam_documents import (
    INLINE_POLICY_LIMIT,
    MANAGED_POLICY_LIMIT,
    Place,
    document,
    managed_policy,
    trust,
)
from plan.names import person_role

# A day's work; whoever goes on after it shows the second factor again.
_PERSON_SESSION_SECONDS: Final = 12 * 3600
# With every right comes a second factor that was shown just now, not this morning.
_FRESH_MFA_SECONDS: Final = 3600


@dataclass(frozen=True, kw_only=True)
class PeopleAccessArgs:
    """Who they are, and where the emergency's door is.

    Raises:
        ValueError: one person is nobody's stand-in.
    """

    people: Sequence[str]
    """The names of their accounts."""

    place: pulumi.Input[Place]
    """The account, and the regions where the stacks may be. It is known before the people are."""

    emergency_region: str
    """The region through which alone the emergency's role can be taken: the one that the alarm listens in."""

    emergency_role: str
    """`access.emergency_role` of the plan."""

    emergency_session_hours: int
    """`access.emergency_session_hours` of the plan, 1 to 12."""

    reading_policy_arn: pulumi.Input[str]

    def __post_init__(self) -> None:
        if len(set(self.people)) < 2:
            raise ValueError(f"people are {list(self.people)}; at least 2 are needed, so that one can stand in")


class PeopleAccess(pulumi.ComponentResource):
    """A user for each person, who can do next to nothing; a role for the day; and one role for the emergency.

    A user has no access key, and nothing here gives one the right to make one: keys are good until somebody notices
    that they were stolen. What a user may do is look after their own second factor and, with it, take a role.

    The role of the day reads, and puts in values of secrets. Changing anything goes through the repository, where the
    other one looks at it. That is the rule, and it must not stop one person alone from recovering: so each of the two
    can take the emergency's role, which may do everything, without asking anybody. It ends by itself, it bears the name
    of whoever took it, it is recorded where nobody can delete it, and both are told within minutes
    (`emergency_alarm.py`).
    """

    break_glass_arn: pulumi.Output[str]
    role_arns: Mapping[str, pulumi.Output[str]]
    """The roles of the day, by their names."""

    def __init__(self, name: str, args: PeopleAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("botbrains:access:PeopleAccess", name, {}, opts)
        guarded = pulumi.ResourceOptions(parent=self, protect=True, retain_on_delete=True)
        place = pulumi.Output.from_input(args.place)

        own = aws.iam.Policy(
            f"{name}-signed-in",
            name="botbrains-signed-in",
            description="What a person may do before taking a role",
            policy=place.apply(
                lambda place: document(signed_in_person(place, args.emergency_role), MANAGED_POLICY_LIMIT)
            ),
            opts=guarded,
        )
        users: dict[str, pulumi.Output[str]] = {}
        roles: dict[str, pulumi.Output[str]] = {}
        for account in args.people:
            user = aws.iam.User(
                f"{name}-{account}", name=account, force_destroy=False, tags={"Name": account}, opts=guarded
            )
            aws.iam.UserPolicyAttachment(f"{name}-{account}", user=user.name, policy_arn=own.arn, opts=guarded)
            role_name = person_role(account)
            role = aws.iam.Role(
                f"{name}-{role_name}",
                name=role_name,
                description=f"What {account} does on an ordinary day",
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
                policy=place.apply(lambda place: document(person(place), INLINE_POLICY_LIMIT)),
                opts=guarded,
            )
            users[account], roles[role_name] = user.arn, role.arn

        break_glass = aws.iam.Role(
            f"{name}-break-glass",
            name=args.emergency_role,
            description="Everything, for one person alone in an emergency. Both are told when it is taken",
            assume_role_policy=pulumi.Output.all(*users.values()).apply(
                lambda arns: trust(
                    {"AWS": arns},
                    _WITH_MFA,
                    {"NumericLessThan": {"aws:MultiFactorAuthAge": str(_FRESH_MFA_SECONDS)}},
                    # The global endpoint counts as us-east-1, where no alarm of ours can be.
                    {"StringEquals": {"aws:RequestedRegion": args.emergency_region}},
                    # Whoever it is, the record says who.
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
            # By its name, so that the policy pack sees whose it is before anything is made.
            role=args.emergency_role,
            policy_arn=place.apply(lambda place: managed_policy(place.partition, "AdministratorAccess")),
            opts=pulumi.ResourceOptions.merge(guarded, pulumi.ResourceOptions(depends_on=[break_glass])),
        )
        self.break_glass_arn = break_glass.arn
        self.role_arns = roles
        self.register_outputs({"breakGlassArn": self.break_glass_arn, "roleArns": self.role_arns})


_WITH_MFA: Final = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

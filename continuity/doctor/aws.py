"""Checks of the AWS account, of the state's backend, and of the people's access."""

from __future__ import annotations

from typing import Any, Final

from continuity.access.aws import Account
from continuity.doctor.check import Clouds
from continuity.doctor.limits import Quota, load_limits
from continuity.engine.stacks import Stack, configuration
from continuity.errors import CannotLookError, MissingError, NoAnswerError, NotShownError, RefusedError
from continuity.state_backend.config import resolve_config
from continuity.state_backend.setup import inspect
from plan.names import STACKS, VAULT, deploy_role, mirror_role, person_role, preview_role, secret_name

_NO_ROLE: Final = frozenset({"NoSuchEntity"})
_NO_QUOTA: Final = frozenset({"NoSuchResourceException"})
_CURRENT: Final = "AWSCURRENT"


def credentials(clouds: Clouds) -> str:
    """Credentials that AWS accepts."""
    return f"account {clouds.caller['Account']}, as {clouds.caller['Arn']}"


def regions(clouds: Clouds) -> str:
    """Both regions of the plan, enabled in the account."""
    wanted = [clouds.home, clouds.recovery]
    found = clouds.aws.call("ec2", clouds.recovery, "describe_regions", RegionNames=wanted, AllRegions=True)["Regions"]
    disabled = [each["RegionName"] for each in found if each["OptInStatus"] == "not-opted-in"]
    if disabled:
        raise MissingError(
            f"not enabled in this account: {', '.join(disabled)}",
            "enable them in the console: Account, AWS Regions. It takes some hours",
        )
    return f"{' and '.join(wanted)} are enabled"


def quotas(clouds: Clouds) -> str:
    """AWS's quotas, compared with the numbers that the stacks need."""
    low: list[str] = []
    enough: list[str] = []
    for limit in load_limits():
        if limit.quota is None:
            continue
        for region, needed in ((clouds.home, limit.needed_in_home()), (clouds.recovery, limit.needed_in_recovery())):
            allowed = _quota(clouds, region, limit.quota)
            (low if allowed < needed else enough).append(
                f"{limit.what} in {region}: {needed} needed, {allowed:g} allowed"
            )
    if low:
        raise MissingError("; ".join(low), "ask for more: console, Service Quotas, the service, the region")
    return f"{len(enough)} quotas suffice for the stacks alone, such as {enough[0]}"


def _quota(clouds: Clouds, region: str, quota: Quota) -> float:
    """The account's quota. AWS returns only the default of a quota that was never applied to the account."""
    names = {"ServiceCode": quota.service, "QuotaCode": quota.code}
    found = clouds.aws.find("service-quotas", region, "get_service_quota", _NO_QUOTA, **names)
    found = found or clouds.aws.call("service-quotas", region, "get_aws_default_service_quota", **names)
    return float(found["Quota"]["Value"])


def state_backend(clouds: Clouds) -> str:
    """The bucket and the key of Pulumi's state."""
    config = resolve_config(clouds.plan, configuration(Stack.VAULT))
    found = inspect(config)
    if found.unknown:
        raise CannotLookError("the state's backend", "; ".join(found.unknown))
    if found.findings:
        first, *others = [finding.sentence() for finding in found.findings]
        raise MissingError(f"{first}{f' (and {len(others)} more)' if others else ''}", "run `continuity bootstrap`")
    return f"{config.bucket} in {config.recovery}, with its replica in {config.home}"


def second_factors(clouds: Clouds) -> str:
    """A second factor of each person and of the root user."""
    missing = [finding for finding in clouds.findings if finding.promise == "access.mfa_required"]
    if missing:
        raise MissingError("; ".join(finding.found for finding in missing), "docs/access.md, The first time")
    return "every user and the root user have one"


def alarm_recipients(clouds: Clouds) -> str:
    """The email addresses that the emergency alarm reaches."""
    missing = list(Account(clouds.plan, clouds.aws).unreached_by_alarm())
    if missing:
        raise MissingError("; ".join(each.found for each in missing), missing[0].remedy)
    return f"confirmed: {', '.join(role.email for role in clouds.plan.roles)}"


def roles(clouds: Clouds) -> str:
    """The roles of people, pull requests and deployments."""
    wanted = [
        clouds.plan.access.emergency_role,
        mirror_role(VAULT),
        *(person_role(role.person.lower()) for role in clouds.plan.roles),
        *(name(stack) for stack in STACKS for name in (preview_role, deploy_role)),
    ]
    missing = [role for role in wanted if not _role(clouds, role)]
    if missing:
        raise MissingError(f"do not exist: {', '.join(missing)}", "run `continuity up vault`")
    return f"{len(wanted)} roles exist"


def _role(clouds: Clouds, name: str) -> Any:
    return clouds.aws.find("iam", clouds.recovery, "get_role", _NO_ROLE, RoleName=name)


def own_role(clouds: Clouds) -> str:
    """The everyday role of the person who runs this: AWS lets them assume it."""
    arn = clouds.caller["Arn"]
    name = arn.rpartition(":user/")[2]
    if name not in {role.person.lower() for role in clouds.plan.roles}:
        raise NotShownError(
            f"{arn} is not one of the plan's users: let each person run `continuity doctor own-role` after `aws login`"
        )
    role = arn.replace(f":user/{name}", f":role/{person_role(name)}")
    try:
        clouds.aws.call("sts", clouds.recovery, "assume_role", RoleArn=role, RoleSessionName=name)
    except NoAnswerError:
        raise
    except (CannotLookError, RefusedError) as error:
        raise MissingError(
            f"{name} cannot assume {role}: {error}",
            "sign in with the second factor (`aws login`). If the credentials still do not carry it, use `aws sts "
            "assume-role` with --serial-number and --token-code",
        ) from None
    return f"{name} can assume {role}"


def secrets(clouds: Clouds) -> str:
    """The values of the application's secrets."""
    names = [secret_name(Stack.PROD, name) for name in clouds.setting(Stack.PROD, "secrets")]
    empty = [name for name in names if not _has_value(clouds, name)]
    if empty:
        raise MissingError(
            f"without a value, or not there: {', '.join(empty)}",
            "aws secretsmanager put-secret-value --secret-id NAME --secret-string file://FILE",
        )
    return f"set: {', '.join(names)}"


def _has_value(clouds: Clouds, name: str) -> bool:
    found = clouds.aws.find(
        "secretsmanager", clouds.home, "describe_secret", {"ResourceNotFoundException"}, SecretId=name
    )
    return any(_CURRENT in stages for stages in ((found or {}).get("VersionIdsToStages") or {}).values())

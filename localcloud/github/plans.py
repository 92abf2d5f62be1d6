"""The features that an organisation's plan refuses a private repository. A public repository has all of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from localcloud.github.call import Call, Record
from localcloud.github.errors import ApiError, not_found

_PROTECTION: Final = {"reviewers", "wait_timer", "prevent_self_review", "can_admins_bypass"}


def check_environment(call: Call, record: Record, fields: Collection[str]) -> None:
    """Refuse an environment, or the fields that a request sets. GitHub refuses their default values too."""
    if record["visibility"] == "public" or call.accounts.plan == "enterprise":
        return
    if call.accounts.plan == "free":
        raise not_found()
    if _PROTECTION & set(fields):
        raise ApiError(
            422,
            "Failed to create the environment protection rule. Please ensure the billing plan supports the required"
            " reviewers protection rule.",
        )


def check_rulesets(call: Call, record: Record) -> None:
    if record["visibility"] != "public" and call.accounts.plan == "free":
        raise ApiError(403, "Upgrade to GitHub Pro or make this repository public to enable this feature.")


def check_secret_scanning(call: Call, record: Record) -> None:
    """Refuse the separate product for secrets. The emulator's organisations of the enterprise plan have bought it."""
    if record["visibility"] != "public" and call.accounts.plan != "enterprise":
        raise ApiError(422, "Secret scanning is not available for this repository.")

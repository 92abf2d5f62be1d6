"""AWS's own managed policies (`arn:aws:iam::aws:policy/…`), which moto has but loads all or none of.

There are more than a thousand, and they would be saved again with every change of a role. So each is loaded at its
first use by ARN. A listing shows the loaded ones.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any, Final

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend

from localcloud.aws.patching import wrap_method

_ARN: Final = re.compile(r"arn:(?P<partition>aws[a-z-]*):iam::aws:policy(?P<path>/.*?)(?P<name>[^/]+)")
_BY_ARN: Final = ("get_policy", "attach_role_policy", "attach_user_policy", "attach_group_policy")


def patch() -> None:
    for name in _BY_ARN:
        wrap_method(IAMBackend, name, _bring_in)


def _bring_in(original: Callable[..., Any], backend: IAMBackend, *args: Any, **kwargs: Any) -> Any:
    for value in (*args, *kwargs.values()):
        match = _ARN.fullmatch(value) if isinstance(value, str) else None
        if match is not None and value not in backend.managed_policies:
            data = _data().get(match["name"])
            if data is not None and (match["partition"], match["path"]) == (backend.partition, data["Path"]):
                policy = AWSManagedPolicy.from_data(match["name"], backend.account_id, backend.region_name, data)
                backend.managed_policies[policy.arn] = policy
                backend.aws_managed_policies.append(policy)
    return original(backend, *args, **kwargs)


@functools.cache
def _data() -> dict[str, Any]:
    """The policies by name. Read at the first use, because it takes 30 milliseconds."""
    data: dict[str, Any] = json.loads(aws_managed_policies_data)
    return data

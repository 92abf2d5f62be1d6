"""Decide whether policies allow a call, by IAM's rules: the default is to deny, and an explicit deny wins.

After "Policy evaluation logic" and "IAM JSON policy elements: Condition operators" in the IAM User Guide. This
module does not depend on moto. An unknown operator is refused by name and never ignored: ignoring it would allow calls
that AWS refuses.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, Final

Document = Mapping[str, Any]


class UnknownOperatorError(NotImplementedError):
    """An operator of a condition that is not evaluated here."""


class Decision(Enum):
    """The result of evaluating policies for a call."""

    ALLOWED = "allowed"
    DENIED = "explicitly denied"
    NEITHER = "not allowed"


@dataclass(frozen=True)
class Call:
    """A call to evaluate: its action (`iam:CreateRole`), its resources, and the values that conditions compare.

    The keys of `context` are in lowercase, because conditions ignore case.
    """

    action: str
    resources: tuple[str, ...] = ("*",)
    context: Mapping[str, Sequence[str]] = field(default_factory=dict)


def document(text: str | Document) -> Document:
    found: Document = json.loads(text) if isinstance(text, str) else text
    return found


def decide(call: Call, policies: Iterable[Document]) -> Decision:
    """Evaluate these policies together: each of the call's resources must be allowed, and none denied."""
    statements = [each for policy in policies for each in _list(policy.get("Statement"))]
    allowed = []
    for resource in call.resources:
        matching = {statement["Effect"] for statement in statements if _matches(statement, call, resource)}
        if "Deny" in matching:
            return Decision.DENIED
        allowed.append("Allow" in matching)
    return Decision.ALLOWED if all(allowed) else Decision.NEITHER


def decide_with(call: Call, identity: Iterable[Document], boundary: Iterable[Document] | None) -> Decision:
    """Evaluate a principal's policies within the principal's permissions boundary, if there is one."""
    decision = decide(call, identity)
    if boundary is None or decision is Decision.DENIED:
        return decision
    limit = decide(call, boundary)
    if limit is Decision.DENIED:
        return limit
    return Decision.ALLOWED if decision is limit is Decision.ALLOWED else Decision.NEITHER


def trusts(call: Call, policy: Document, kind: str, principals: Iterable[str]) -> bool:
    """Whether a role's trust policy allows one of these principals. `kind` is `AWS`, `Federated` or `Service`."""
    named = set(principals)
    effects = {
        statement["Effect"]
        for statement in _list(policy.get("Statement"))
        if named & set(_principals(statement, kind))
        and _any(call.action, _list(statement.get("Action")), _action_matches)
        and _conditions_hold(statement.get("Condition", {}), call)
    }
    return effects == {"Allow"}


def _principals(statement: Document, kind: str) -> list[str]:
    principal = statement.get("Principal", {})
    return ["*"] if principal == "*" else _list(principal.get(kind))


def _matches(statement: Document, call: Call, resource: str) -> bool:
    actions = _list(statement.get("Action", statement.get("NotAction")))
    if _any(call.action, actions, _action_matches) is ("NotAction" in statement):
        return False
    patterns = [substituted(each, call) for each in _list(statement.get("Resource", statement.get("NotResource", "*")))]
    if _any(resource, patterns, like) is ("NotResource" in statement):
        return False
    return _conditions_hold(statement.get("Condition", {}), call)


def _any(value: str, patterns: Iterable[str], matches: Callable[[str, str], bool]) -> bool:
    return any(matches(value, pattern) for pattern in patterns)


def _action_matches(action: str, pattern: str) -> bool:
    return like(action.lower(), pattern.lower())


def like(value: str, pattern: str) -> bool:
    """IAM's wildcards: `*` is any characters, `?` one."""
    return pattern == "*" or _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))


def substituted(pattern: str, call: Call) -> str:
    """Replace the variables of a pattern. A variable without a value stays, and so matches nothing."""

    def value(match: re.Match[str]) -> str:
        found = call.context.get(match[1].lower())
        return found[0] if found else match[0]

    return re.sub(r"\$\{([^}]+)\}", value, pattern)


# -- conditions -------------------------------------------------------------------------------------------------------


def _bool(one: str, other: str) -> bool:
    return one.lower() == other.lower()


_OPERATORS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringEqualsIgnoreCase": _bool,
    "StringLike": like,
    "ArnEquals": like,
    "ArnLike": like,
    "Bool": _bool,
    "NumericEquals": lambda value, wanted: float(value) == float(wanted),
    "NumericLessThan": lambda value, wanted: float(value) < float(wanted),
    "NumericLessThanEquals": lambda value, wanted: float(value) <= float(wanted),
    "NumericGreaterThan": lambda value, wanted: float(value) > float(wanted),
    "NumericGreaterThanEquals": lambda value, wanted: float(value) >= float(wanted),
}
_NEGATED: Final = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
    "NumericNotEquals": "NumericEquals",
}


def _conditions_hold(conditions: Document, call: Call) -> bool:
    return all(
        _holds(operator, call.context.get(key.lower()), [substituted(each, call) for each in _list(wanted)])
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, found: Sequence[str] | None, wanted: Sequence[str]) -> bool:
    sets, _, name = operator.rpartition(":")
    if name == "Null":
        return _bool(wanted[0], str(found is None))
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = name in _NEGATED
    compare = _OPERATORS.get(_NEGATED.get(name, name))
    if compare is None or sets not in ("", "ForAnyValue", "ForAllValues"):
        raise UnknownOperatorError(f"the local cloud does not evaluate the condition operator {operator}")
    if found is None:
        return if_exists or negated or sets == "ForAllValues"
    hits = [any(compare(value, each) for each in wanted) is not negated for value in found]
    return all(hits) if sets == "ForAllValues" else any(hits)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    # A single value may stand for a list of one, and a boolean for its word.
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item).lower() if isinstance(item, bool) else item for item in items]

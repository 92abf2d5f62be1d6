"""The sentences of the plan that policies protect, in the plan's own words where it has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plan import Plan


def residency(plan: Plan) -> str:
    """Where data of AWS may be."""
    return f"In AWS, data stays in the {plan.residency.jurisdiction}: {', '.join(plan.residency.aws.allowed_regions)}."


def hetzner_residency(plan: Plan) -> str:
    """Where hosts may be."""
    hetzner = plan.residency.hetzner
    return f"At Hetzner, everything stays in the {plan.residency.jurisdiction}: {', '.join(hetzner.allowed_locations)}."


def jurisdiction(plan: Plan) -> str:
    """Where everything stays."""
    return f"Data stays in the {plan.residency.jurisdiction}."


def inference(plan: Plan) -> str:
    """Who may run models, and where."""
    return _sentence(plan.capabilities.model_inference)


def recovery(plan: Plan) -> str:
    """What can be brought back, and from where."""
    return _sentence(plan.capabilities.data_durability_and_recovery)


def provider_failure(plan: Plan) -> str:
    """What is done about a zone or a region that is lost."""
    return _sentence(plan.capabilities.provider_failure)


def compute(plan: Plan) -> str:
    """How hosts stand in for each other."""
    return _sentence(plan.capabilities.compute_redundancy)


def code(plan: Plan) -> str:
    """What everything is rebuilt from."""
    return _sentence(plan.capabilities.configuration_and_code)


def access(plan: Plan) -> str:
    """How the people who administer all this get in."""
    return _sentence(plan.personnel.mitigations[0])


def security(plan: Plan) -> str:
    """What must hold in a disruption as on any other day: the control that it serves, in the plan's words."""
    return next(
        (_sentence(control.coverage) for control in plan.controls if control.id == "A.5.29"), jurisdiction(plan)
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."

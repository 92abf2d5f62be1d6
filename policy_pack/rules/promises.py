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
    """The providers of model inference, and their residency."""
    return _sentence(plan.capabilities.model_inference)


def recovery(plan: Plan) -> str:
    """The recovery of data."""
    return _sentence(plan.capabilities.data_durability_and_recovery)


def provider_failure(plan: Plan) -> str:
    """The response to the loss of a zone or a region."""
    return _sentence(plan.capabilities.provider_failure)


def compute(plan: Plan) -> str:
    """The redundancy of hosts."""
    return _sentence(plan.capabilities.compute_redundancy)


def code(plan: Plan) -> str:
    """The code and configuration that the service is rebuilt from."""
    return _sentence(plan.capabilities.configuration_and_code)


def access(plan: Plan) -> str:
    """How the people who administer all this get in."""
    return _sentence(plan.personnel.mitigations[0])


def security(plan: Plan) -> str:
    """Security during a disruption: the coverage of control A.5.29 in the plan."""
    return next(
        (_sentence(control.coverage) for control in plan.controls if control.id == "A.5.29"), jurisdiction(plan)
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."

"""SSM: hybrid activations, and managed nodes outside AWS. Importing this package changes nothing."""

from __future__ import annotations

from localcloud.aws.ssm import activations, nodes


def patch() -> None:
    """Add to moto's SSM the calls that it lacks, and wrap those that it gets wrong."""
    for subject in (activations, nodes):
        subject.patch()

"""Load balancers, with their services, targets and certificates."""

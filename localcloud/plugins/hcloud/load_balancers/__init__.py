"""Load balancers, with their networks, services and targets."""

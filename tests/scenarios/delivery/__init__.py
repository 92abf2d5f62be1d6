"""Delivery of changes: previews, drift, the repository at GitHub and its mirror, and the secrets of the state."""

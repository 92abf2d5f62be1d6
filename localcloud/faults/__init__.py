"""Deliberate faults: outages of a region or a provider, and server types that are sold out."""

"""Pulumi components, one package for each capability of the continuity policy.

This package imports nothing. A stack imports the components that it uses, and loads only the provider packages that
they need: the vault does not load those of Hetzner and GitHub.
"""

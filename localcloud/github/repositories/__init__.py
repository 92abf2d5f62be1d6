"""Repositories: what can be done with one, its settings, and its view in the API."""

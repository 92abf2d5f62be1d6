"""Clients of the clouds and of the database. They raise the errors of `continuity.errors`."""

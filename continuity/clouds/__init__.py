"""Clients of the clouds and of the database, with their errors in the operator's words."""

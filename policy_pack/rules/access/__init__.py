"""Policies on access: public exposure, the database, people, and the repository."""

"""Secrets Manager: secrets and their replicas in other regions."""

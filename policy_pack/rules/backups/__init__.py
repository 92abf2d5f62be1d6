"""Policies on recovery: databases, buckets, secrets, keys and vaults, and their protection."""

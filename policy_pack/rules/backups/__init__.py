"""What can be brought back: databases, buckets, secrets, keys and vaults, and their protection."""

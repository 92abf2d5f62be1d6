"""KMS: keys, aliases, and replicas of multi-region keys."""

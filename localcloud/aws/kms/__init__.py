"""KMS: keys, and multi-region keys with their replicas."""

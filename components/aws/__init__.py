"""The AWS resources that several components share: IAM documents, encryption keys, durable buckets, backup vaults."""

"""What several components build on at AWS: IAM documents, encryption keys, durable buckets and backup vaults."""

"""S3: object lock, lifecycle rules, replication, and the requests that policies deny."""

"""S3: buckets, their settings, and object lock."""

"""Copies that outlive production: daily backups, the recovery vault, and the replication of objects."""

"""The managed PostgreSQL database: the instance, its network, and the backup that it is restored from."""

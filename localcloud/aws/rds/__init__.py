"""RDS: instances with real PostgreSQL servers, their snapshots, restores and automated backups."""

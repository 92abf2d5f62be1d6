"""AWS Backup: vaults, plans, jobs and recovery points. Importing this package changes nothing; `amend` does."""

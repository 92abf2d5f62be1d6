"""AWS Backup: vaults with their locks and policies, and plans with their selections."""

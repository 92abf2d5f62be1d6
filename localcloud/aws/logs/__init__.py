"""CloudWatch Logs: log groups and the keys that encrypt them."""

"""The failover drill: switch off hosts or a location under load, and measure the recovery."""

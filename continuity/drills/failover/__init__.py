"""The failover drill: hosts and locations are lost under load."""

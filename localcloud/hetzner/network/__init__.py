"""Private networks and firewalls."""

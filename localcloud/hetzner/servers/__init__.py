"""Servers, their placement groups and their SSH keys."""

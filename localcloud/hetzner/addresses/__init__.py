"""Addresses: those of a private network, and the public ones that outlive a server."""

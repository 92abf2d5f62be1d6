"""Loopback addresses and ports, and the certificate authority that signs for them."""

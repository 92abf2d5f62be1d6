"""Emulators of AWS, Hetzner Cloud and GitHub on loopback, for trying every change before it reaches a real account."""

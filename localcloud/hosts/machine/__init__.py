"""What runs on a host: its first process, which supervises its units, and stand-ins for programs that it calls.

All of it uses the standard library alone and is run without installed packages, so that a host is up in an instant.
"""

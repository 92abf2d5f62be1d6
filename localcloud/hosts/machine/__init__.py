"""Programs that run on a host: its first process, which supervises its units, and stand-ins for system programs.

They use only the standard library and run without installed packages, so that a host is up in an instant.
"""

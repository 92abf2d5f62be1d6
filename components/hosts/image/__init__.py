"""Render the user data of hosts from typed descriptions. cloud-init alone configures a host. Does not use Pulumi.

hosts.py      the description of a host, and the allowed values
rendering.py  the user data, the HAProxy configuration, and the fingerprint: when it changes, the host is replaced
timing.py     the durations of a shutdown, derived from the health check
templates/    the files that are written to a host
programs/     the programs that run on a host, with Debian's own Python and packages
"""

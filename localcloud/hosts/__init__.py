"""Hosts: each server of the local Hetzner that is on is a set of real processes, started from its user data.

    user_data.py     reads a cloud-config: what is carried out, and what is not
    places.py        the local paths and addresses of a host
    host.py          one host: its folder, boot and end
    hosts.py         all hosts, kept in step with the API's records
    machine/         the programs that run on a host

Other modules import from it only where they need it: the programs on hosts must not load anything else.
"""

"""Hosts: each server of the local Hetzner that is switched on is a set of real processes with its user data.

    user_data.py     reads a cloud-config: what is done of it, and what is not
    places.py        where a host's paths and private addresses are on this machine
    host.py          one host: its folder, its boot, its end
    hosts.py         all hosts, as the API's records have them
    machine/         what runs on a host

Imported where it is used: this package's programs on hosts must load nothing else.
"""

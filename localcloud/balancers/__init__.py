"""Load balancers: each of the local Hetzner is a real HAProxy, rendered from the API's records.

configuration.py   what HAProxy has to do for a load balancer, as data, and its text (haproxy.cfg.j2)
balancer.py        one HAProxy: its folder, its start, changes without a lost request, its end
runtime.py         what it is asked over its socket: who is healthy
balancers.py       all of them, as the API's records have them
"""

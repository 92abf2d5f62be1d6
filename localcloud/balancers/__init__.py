"""Load balancers: each load balancer of the local Hetzner is a real HAProxy, configured from the API's records.

configuration.py   the configuration of a load balancer, as data and as text (haproxy.cfg.j2)
balancer.py        one HAProxy: its folder, start, reload without a lost request, and end
runtime.py         queries over HAProxy's socket: the health of its servers
balancers.py       all load balancers, kept in step with the API's records
"""

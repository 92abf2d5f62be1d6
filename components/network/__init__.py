"""The private network, and the public endpoint that customers reach: load balancers, certificates and DNS."""

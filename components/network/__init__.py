"""The private network, and the public endpoint for customers: load balancers, certificate and DNS records."""

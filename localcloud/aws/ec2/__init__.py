"""EC2: the network that security groups and subnets belong to."""

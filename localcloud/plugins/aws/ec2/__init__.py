"""EC2's network: VPCs, subnets, route tables and security groups."""

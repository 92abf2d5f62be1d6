"""The IAM policies of people, of deployments and of the roles that a deployment makes, as pure functions."""

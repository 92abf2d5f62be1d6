"""IAM: roles, policies, users and OpenID Connect providers."""

"""IAM: roles, policies, users and issuers of tokens."""

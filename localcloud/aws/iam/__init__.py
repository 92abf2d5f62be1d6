"""IAM and STS: who makes a request, and whether their policies allow it."""

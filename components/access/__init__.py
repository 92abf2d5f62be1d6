"""Access to AWS: people with MFA, workflows by their tokens, and the alarm for emergency access."""

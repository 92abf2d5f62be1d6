"""Who may do what at AWS: people with MFA, workflows by their tokens, and the alarm for emergency access."""

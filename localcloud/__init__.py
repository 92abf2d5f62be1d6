"""Three clouds in miniature, on loopback: the place where everything is tried before it meets a real account."""

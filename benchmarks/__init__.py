"""What is promised about speed, measured: ratios of things that were run side by side."""

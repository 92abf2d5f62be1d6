"""The policy pack: its rules, the adapter, and the pack as the engine starts it."""

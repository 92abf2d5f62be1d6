"""How Pulumi's engine, and the program itself, ask the rules."""

"""The components and the program, run against Pulumi's mocks: what they declare, without a cloud or an engine."""

"""The bucket, the key and the replica that hold Pulumi's state. They exist before any stack does."""

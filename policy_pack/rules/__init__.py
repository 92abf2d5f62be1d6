"""The policies as pure functions: no Pulumi, no clock, no network. `policy_pack` has what others may use."""

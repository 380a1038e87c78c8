"""The AWS environment of docwarden: one construct a capability, composed in short stacks."""

"""The asdflow command: what a person types and reads; computes nothing, all is asked of rooms below."""

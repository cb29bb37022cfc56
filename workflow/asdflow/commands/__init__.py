"""The asdflow command: what a person types and reads; everything else is asked of the packages below."""

"""What stages hand to each other, and where it lies; does not know what computes it."""

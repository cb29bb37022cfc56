"""What a clip is compared with: the bank, and what is made of it; does not know a backend or a score."""

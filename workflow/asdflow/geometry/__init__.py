"""Arithmetic on vectors: products, distances, neighbours, clusters; does not know what a bank is."""

"""Principal axes and shrunk covariances, and the same without a clip; does not know which backend asks."""

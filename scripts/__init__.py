"""Scripts that the Makefile starts."""

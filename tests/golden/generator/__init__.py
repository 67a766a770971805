"""The makers of the golden vectors, one module per file, and the notation they share."""

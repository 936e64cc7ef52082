"""What is known of every sample that its scores may depend on: measured once a dataset, read from names, or given."""

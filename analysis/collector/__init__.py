"""The collector: takes batches from volunteers, and keeps what it acknowledged."""

"""What leaves this machine: made into batches, kept, sent, and crossed off by receipts."""

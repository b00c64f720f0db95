"""What the two servers of the project share: listening, and fairness among clients."""

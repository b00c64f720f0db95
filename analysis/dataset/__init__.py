"""The dataset of observations and verdicts, as Parquet: derived, and rebuilt from documents."""

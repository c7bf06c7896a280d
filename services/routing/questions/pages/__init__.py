"""The staff desk's pages about questions and cases, one file for each group."""

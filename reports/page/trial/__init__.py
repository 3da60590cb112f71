"""The page of a finished trial: what the treatment did, and how sure that is."""

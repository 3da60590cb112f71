"""Sources of people: BIDS, tables, FreeSurfer folders, read and checked."""

"""FreeSurfer: subject folders, tables of volumes, the table of all subjects."""

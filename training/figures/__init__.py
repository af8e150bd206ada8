"""Floor 5: figures of finished runs, from a record's arrays: the only importer of matplotlib."""

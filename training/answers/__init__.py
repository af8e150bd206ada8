"""Floor 5: tables and written answers; every number and every conclusion comes from the results."""

"""The ground of the house: settings, database, keys, blobs, jobs, audit, web kit. Knows no health and no mail."""

"""One person's scans in a page of their own, to be turned and cut in the browser."""

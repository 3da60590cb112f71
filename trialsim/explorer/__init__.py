"""The explorer in the browser: what if, whom, how sure; on this machine only."""

"""The page of a study: gathered from the study file, written as HTML, Markdown or PDF."""

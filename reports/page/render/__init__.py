"""A page as HTML, Markdown, PDF."""

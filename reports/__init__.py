"""Study file, figures, pages: what was found, in a form that anyone can check."""

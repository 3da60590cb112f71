"""Trial design and enrichment: which selection and which sample size to use."""

__version__ = "0.1.0"

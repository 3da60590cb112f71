"""Whether a model may be used at a site, by what was stated beforehand."""

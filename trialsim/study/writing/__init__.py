"""What is written of a study: tables and figures, the page of a person, the answer in R."""

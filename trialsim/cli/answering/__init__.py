"""What commands answer: tables, progress, logs, errors."""

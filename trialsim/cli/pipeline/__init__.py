"""The whole job: the steps from a protocol to a report, each done once."""

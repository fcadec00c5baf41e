"""The person who borrowed: how to reach them, in which language, and nothing more than is needed."""

"""What several test files need: models of functions, outside tools."""

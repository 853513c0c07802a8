"""The selectors that come with Bellrock, one a file; others arrive by entry point."""

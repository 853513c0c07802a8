"""A target that computes nothing; it shows what a package has to bring to add one."""

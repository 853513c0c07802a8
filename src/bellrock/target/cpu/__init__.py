"""The processor that Bellrock runs on, through LLVM."""

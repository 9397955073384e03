//! The command line: words in, a plan out.

//! The mind: what is on screen and what a key does, without drawing or touching anything.

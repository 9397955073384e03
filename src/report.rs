//! Observations as text for other programs and for pipes.

//! Draws what the app holds into a buffer.

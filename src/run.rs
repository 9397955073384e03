//! Threads, terminal and signals: joins the rooms into a program.

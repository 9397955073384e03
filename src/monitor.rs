//! Folds readings into observations: ages, phases, tallies and findings.

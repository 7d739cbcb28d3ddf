//! Loaded plugins as sources and evaluators.

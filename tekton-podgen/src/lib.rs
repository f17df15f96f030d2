//! Builds the Pod of a TaskRun, and reads a Pod back into step states, results and failure.

//! From a pipeline and the state of its children: what to start, skip, cancel and finish, and the pipeline condition.

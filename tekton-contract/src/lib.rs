//! What both sides of the pod boundary agree on: paths, flags, termination messages, the $(…) grammar, names and label keys.

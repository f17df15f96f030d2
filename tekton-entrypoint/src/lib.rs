//! The binary that starts every step of a Tekton Task: wait, run, collect, post.

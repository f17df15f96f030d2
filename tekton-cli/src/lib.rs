//! The `tekton` command: run, validate, graph and serve Tekton pipelines on any machine.

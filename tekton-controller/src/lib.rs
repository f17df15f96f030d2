//! The shell around the engine: watches, fetches, applies and writes status on a Kubernetes cluster.

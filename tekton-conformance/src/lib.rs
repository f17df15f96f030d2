//! Runs recorded conformance cases against every layer of the Tekton workspace.

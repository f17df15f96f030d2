//! Every rule of the Tekton admission webhook plus lint, as a list of located diagnostics.

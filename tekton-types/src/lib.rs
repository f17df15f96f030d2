//! The Tekton API model: every kind, parse and print, defaults, conversion, schemas, configuration.

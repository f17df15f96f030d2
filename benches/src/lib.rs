//! Benchmarks live in `benches/`; this library holds what they share.

use std::path::{Path, PathBuf};

/// The texts of the real manifests: of `TEKTON_REALWORLD_DIR`, else of `../shared/realworld` beside the workspace.
pub fn real_manifests() -> Vec<String> {
    let dir = std::env::var_os("TEKTON_REALWORLD_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/realworld"), PathBuf::from);
    let mut texts = Vec::new();
    collect(&dir, &mut texts);
    texts
}

fn collect(dir: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
            texts.extend(std::fs::read_to_string(&path));
        }
    }
}

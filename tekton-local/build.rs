//! Builds the step entrypoint as a static program and leaves it where the node embeds it.
//!
//! `TEKTON_ENTRYPOINT_BIN` names a program built before; then nothing is built here.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=TEKTON_ENTRYPOINT_BIN");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let program = match std::env::var_os("TEKTON_ENTRYPOINT_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(&out),
    };
    println!("cargo:rerun-if-changed={}", program.display());
    let embedded = out.join("entrypoint.bin");
    std::fs::copy(&program, &embedded)
        .unwrap_or_else(|error| panic!("failed to copy the entrypoint {}: {error}", program.display()));
}

fn build(out: &Path) -> PathBuf {
    let here = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let workspace = here.parent().expect("this crate is in the workspace");
    for part in
        ["tekton-entrypoint/src", "tekton-entrypoint/Cargo.toml", "tekton-contract/src", "tekton-contract/Cargo.toml"]
    {
        println!("cargo:rerun-if-changed={}", workspace.join(part).display());
    }
    let target = std::env::var("TARGET").expect("cargo sets TARGET");
    let manifest = std::fs::read_to_string(workspace.join("Cargo.toml")).unwrap_or_default();
    let profile = if manifest.contains("[profile.entrypoint]") { "entrypoint" } else { "release" };
    let run = |flags: &str| {
        let mut command = Command::new(std::env::var_os("CARGO").expect("cargo sets CARGO"));
        command
            .current_dir(workspace)
            .args(["build", "--locked", "--quiet", "--package", "tekton-entrypoint", "--bin", "tekton-entrypoint"])
            .args(["--profile", profile, "--target", &target])
            .arg("--target-dir")
            .arg(out.join("entrypoint"))
            .env("RUSTFLAGS", flags);
        for name in [
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC_WRAPPER",
            "RUSTC_WORKSPACE_WRAPPER",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET",
        ] {
            command.env_remove(name);
        }
        command.status().is_ok_and(|status| status.success())
    };
    if !run("-C target-feature=+crt-static -C relocation-model=static") {
        println!(
            "cargo:warning=the step entrypoint could not be linked statically; it is linked to the host's C library"
        );
        assert!(run(""), "failed to build tekton-entrypoint; set TEKTON_ENTRYPOINT_BIN to a program built before");
    }
    out.join("entrypoint").join(target).join(profile).join("tekton-entrypoint")
}

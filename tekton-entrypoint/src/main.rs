//! The multi-call binary: `entrypoint`, `nop`, `workingdirinit` or `sidecarlogresults`, by the name it is called by.

fn main() {
    std::process::exit(tekton_entrypoint::main());
}

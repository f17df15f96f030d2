//! `-enable_spire`: what can not be signed is refused, and says so.

use std::os::unix::net::UnixListener;

use crate::step::{Step, stderr, stdout};

#[test]
fn results_are_refused_where_an_agent_would_sign_them() {
    let step = Step::new();
    let socket = step.path("agent.sock");
    let _agent = UnixListener::bind(&socket).expect("a socket can be made");
    let address = format!("unix://{}", socket.display());
    let flags = ["-enable_spire", "-spire_socket_path", &address, "-step_results", "r"];
    let output = step.command(&flags, "echo v > status/results/r").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    assert!(text.contains("failed to fetch SVID: this entrypoint does not sign results with SPIRE"), "{text}");
    assert!(!step.text("termination").contains("\"r\""));
    assert!(step.path("out").exists());
}

#[test]
fn an_address_that_is_none_is_refused_at_once() {
    let step = Step::new();
    let flags = ["-enable_spire", "-spire_socket_path", "agent.sock", "-step_results", "r"];
    let output = step.command(&flags, "true").output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("must have a \"tcp\" or \"unix\" scheme"), "{}", stderr(&output));
}

#[test]
fn a_step_without_results_needs_no_agent() {
    let step = Step::new();
    let output = step.command(&["-enable_spire"], "echo ran").output().expect("it runs");
    assert_eq!((stdout(&output).as_str(), output.status.code()), ("ran\n", Some(0)), "{}", stderr(&output));
}

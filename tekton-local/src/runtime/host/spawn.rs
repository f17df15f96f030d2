//! Makes container processes, all from one thread that lives as long as the runtime.
//!
//! A container's first process dies with the thread that made it (`PR_SET_PDEATHSIG`), so no thread of a pool may do it.
#![expect(unsafe_code, reason = "clone3")]

use super::cgroup::Cgroup;
use super::child::{self, Child};
use super::plan::Plan;
use super::sys;
use libc::{c_char, c_int};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A process to make.
pub(super) struct Request {
    pub(super) plan: Arc<Plan>,
    /// Standard input, output and error of the process.
    pub(super) stdio: [OwnedFd; 3],
    /// The pidfd of a container to enter, instead of namespaces of its own.
    pub(super) enter: Option<Arc<OwnedFd>>,
    /// The control group of the process.
    pub(super) cgroup: Option<Arc<Cgroup>>,
    pub(super) reply: oneshot::Sender<io::Result<Spawned>>,
}

/// A process that was made and is on its way to its program.
pub(super) struct Spawned {
    pub(super) pidfd: OwnedFd,
    /// Gives stage and error number if something fails, and ends when the program runs.
    pub(super) errors: OwnedFd,
    /// Kept open until then: its closing tells the process that its maker has gone.
    pub(super) go: std::fs::File,
}

/// Starts the thread; it ends when every sender has gone, and all containers with it.
pub(super) fn start() -> io::Result<std::sync::mpsc::Sender<Request>> {
    let (sender, receiver) = std::sync::mpsc::channel::<Request>();
    std::thread::Builder::new().name("tekton-spawn".into()).spawn(move || {
        while let Ok(request) = receiver.recv() {
            let result = spawn(&request);
            // Nobody waits any more: dropping `go` ends the process.
            drop(request.reply.send(result));
        }
    })?;
    Ok(sender)
}

fn spawn(request: &Request) -> io::Result<Spawned> {
    let plan = &*request.plan;
    let pointers = |strings: &[std::ffi::CString]| -> Vec<*const c_char> {
        strings.iter().map(|s| s.as_ptr()).chain([std::ptr::null()]).collect()
    };
    let (argv, env) = (pointers(&plan.argv), pointers(&plan.env));
    let mut slots = vec![-1; plan.slots];
    let (go_read, go_write) = sys::pipe()?;
    let (errors_read, errors_write) = sys::pipe()?;
    for stream in &request.stdio[1..] {
        use std::os::fd::AsFd;
        if plan.set_ids && plan.user != 0 {
            sys::fchown(stream.as_fd(), plan.user, plan.group);
        }
    }

    let mut pidfd: c_int = -1;
    // SAFETY: an all-zero `clone_args` is a valid value.
    let mut clone: libc::clone_args = unsafe { std::mem::zeroed() };
    let spaces = libc::CLONE_NEWUSER | libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    let spaces = if request.enter.is_some() { 0 } else { spaces };
    clone.flags = u64::from((spaces | libc::CLONE_PIDFD).cast_unsigned());
    clone.pidfd = (&raw mut pidfd) as u64;
    clone.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    // SAFETY: no memory is shared with the child, which only runs `child::run`, made for this state.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut clone, size_of::<libc::clone_args>()) };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    if pid == 0 {
        let child = Child {
            plan,
            slots: &mut slots,
            argv: &argv,
            env: &env,
            stdio: [request.stdio[0].as_raw_fd(), request.stdio[1].as_raw_fd(), request.stdio[2].as_raw_fd()],
            go: go_read.as_raw_fd(),
            go_parent: go_write.as_raw_fd(),
            errors: errors_write.as_raw_fd(),
            enter: request.enter.as_ref().map(AsRawFd::as_raw_fd),
        };
        // SAFETY: this is the child, and all it is given was made above and lives in its copy of the memory.
        unsafe { child::run(child) }
    }
    // SAFETY: clone3 stored a new descriptor that nobody else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let mut go = std::fs::File::from(go_write);
    if request.enter.is_none() {
        write_maps(pid, plan)?;
    }
    if let Some(group) = &request.cgroup {
        group.enter(pid)?;
    }
    go.write_all(b"1")?;
    Ok(Spawned { pidfd, errors: errors_read, go })
}

/// Maps the identities of the new user namespace: all that we have, or the one that we are.
fn write_maps(pid: libc::c_long, plan: &Plan) -> io::Result<()> {
    let (uid, gid) = sys::effective_ids();
    if plan.set_ids {
        std::fs::write(format!("/proc/{pid}/uid_map"), identity_map("/proc/self/uid_map")?)?;
        std::fs::write(format!("/proc/{pid}/gid_map"), identity_map("/proc/self/gid_map")?)
    } else {
        std::fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
        std::fs::write(format!("/proc/{pid}/uid_map"), format!("{} {uid} 1\n", plan.user))?;
        std::fs::write(format!("/proc/{pid}/gid_map"), format!("{} {gid} 1\n", plan.group))
    }
}

/// Every identity that exists here, mapped to itself.
fn identity_map(path: &str) -> io::Result<String> {
    let mut map = String::new();
    for line in std::fs::read_to_string(path)?.lines() {
        let mut fields = line.split_ascii_whitespace();
        if let (Some(inside), Some(_), Some(count)) = (fields.next(), fields.next(), fields.next()) {
            // Writing to a string does not fail.
            let _ = writeln!(map, "{inside} {inside} {count}");
        }
    }
    Ok(map)
}

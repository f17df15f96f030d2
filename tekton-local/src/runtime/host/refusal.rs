//! Says why a container process could not be made, and what to do about it.

use super::super::StartError;
use super::child::{STAGE_ENTER, STAGE_EXEC, STAGE_IDENTITY, STAGE_WORKING_DIR};
use super::plan::{Op, Plan};
use std::io;

/// The kernel refused to make a process with namespaces of its own.
pub(super) fn of_clone(error: &io::Error) -> StartError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES | libc::ENOSPC | libc::EINVAL | libc::EUSERS | libc::ENOSYS) => {
            StartError::NotPermitted(format!("failed to make namespaces for a container: {error}; {}", advice()))
        }
        _ => StartError::Create(format!("failed to make a container process: {error}")),
    }
}

/// The new process failed at a stage.
pub(super) fn of_stage(plan: &Plan, stage: u32, error: &io::Error) -> StartError {
    let program = plan.argv.first().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default();
    match stage {
        STAGE_EXEC => StartError::Start(exec_text(&program, error)),
        STAGE_WORKING_DIR => StartError::Create(format!(
            "failed to enter working directory {}: {error}",
            plan.working_dir.to_string_lossy()
        )),
        STAGE_IDENTITY => {
            StartError::Create(format!("failed to become user {} and group {}: {error}", plan.user, plan.group))
        }
        STAGE_ENTER => StartError::Create(format!("failed to enter the container: {error}")),
        index => {
            let op = plan.ops.get(index as usize);
            match (op, error.raw_os_error()) {
                (Some(Op::Mount { .. } | Op::Pivot { .. }), Some(libc::EPERM | libc::EACCES)) => {
                    StartError::NotPermitted(format!(
                        "failed to {}: {error}; {}",
                        op.map(describe).unwrap_or_default(),
                        advice()
                    ))
                }
                _ => StartError::Create(format!("failed to {}: {error}", op.map(describe).unwrap_or_default())),
            }
        }
    }
}

/// The words of a container runtime for a program that can't be executed.
fn exec_text(program: &str, error: &io::Error) -> String {
    let what = match error.raw_os_error() {
        Some(libc::ENOENT) if !program.contains('/') => "executable file not found in $PATH".to_owned(),
        Some(libc::ENOENT) => format!("stat {program}: no such file or directory"),
        Some(libc::EACCES) => "permission denied".to_owned(),
        Some(libc::ENOEXEC) => "exec format error".to_owned(),
        _ => error.to_string(),
    };
    format!("unable to start container process: error during container init: exec: \"{program}\": {what}")
}

fn describe(op: &Op) -> String {
    match op {
        Op::Take { source, sub_path: None, .. } => format!("open {}", source.to_string_lossy()),
        Op::Take { source, sub_path: Some(sub), .. } => {
            format!("open subPath {} of {}", sub.to_string_lossy(), source.to_string_lossy())
        }
        Op::Mount { kind, target, .. } => format!("mount {} on {}", kind.to_string_lossy(), target.to_string_lossy()),
        Op::Pivot { .. } => "change the root directory".into(),
        Op::Put { target, .. } => format!("mount a volume on {}", target.to_string_lossy()),
        Op::Mkdir { path, .. } | Op::Touch { path } | Op::Symlink { path, .. } => {
            format!("make {}", path.to_string_lossy())
        }
        Op::Freeze { path } | Op::ReadOnly { path } => format!("make {} read-only", path.to_string_lossy()),
        Op::Write { path, .. } => format!("write {}", path.to_string_lossy()),
        Op::Detach { path } | Op::Rmdir { path } => format!("remove {}", path.to_string_lossy()),
        Op::HostName { .. } => "set the host name".into(),
    }
}

/// What to change on this machine so that namespaces are permitted.
pub(super) fn advice() -> String {
    let read = |name: &str| std::fs::read_to_string(format!("/proc/sys/{name}")).map(|v| v.trim().to_owned());
    let mut hints = Vec::new();
    if read("kernel/unprivileged_userns_clone").is_ok_and(|v| v == "0") {
        hints.push("set sysctl kernel.unprivileged_userns_clone=1".to_owned());
    }
    if read("kernel/apparmor_restrict_unprivileged_userns").is_ok_and(|v| v == "1") {
        hints.push("set sysctl kernel.apparmor_restrict_unprivileged_userns=0, or give this program an AppArmor profile with `userns,`".to_owned());
    }
    if read("user/max_user_namespaces").is_ok_and(|v| v == "0") {
        hints.push("set sysctl user.max_user_namespaces to 15000 or more".to_owned());
    }
    if std::path::Path::new("/.dockerenv").exists() || std::path::Path::new("/run/.containerenv").exists() {
        hints.push("inside a container, start it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined, or --privileged".to_owned());
    }
    if hints.is_empty() {
        hints.push("the host runtime needs user, mount and PID namespaces on Linux 5.12 or later; check sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns, or seccomp rules of a surrounding container".to_owned());
    }
    hints.join("; ")
}

//! Security contexts of the containers that Tekton itself adds to a Pod.

use k8s_openapi::api::core::v1::{Capabilities, SeccompProfile, SecurityContext};

/// Which security context Tekton's own containers get (feature flags `set-security-context` and
/// `set-security-context-read-only-root-filesystem`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityContextConfig {
    /// Set one at all.
    pub set_security_context: bool,
    /// Make the root file system read-only.
    pub set_read_only_root_filesystem: bool,
}

impl SecurityContextConfig {
    /// The context, or `None` when the flag is off.
    pub fn context(self, windows: bool) -> Option<SecurityContext> {
        self.set_security_context.then(|| self.required(windows))
    }

    fn required(self, windows: bool) -> SecurityContext {
        if windows {
            return SecurityContext { run_as_non_root: Some(true), ..SecurityContext::default() };
        }
        SecurityContext {
            allow_privilege_escalation: Some(false),
            capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
            run_as_non_root: Some(true),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), ..SeccompProfile::default() }),
            read_only_root_filesystem: self.set_read_only_root_filesystem.then_some(true),
            ..SecurityContext::default()
        }
    }
}

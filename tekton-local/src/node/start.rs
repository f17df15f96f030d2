//! From a container of a Pod to what its runtime needs, and the life of the process that comes of it.

use super::slot::now;
use super::volumes::Volumes;
use super::worker::{Check, Event};
use super::{Context, env, expand, fields, probe};
use crate::api::Attachment;
use crate::runtime::{ContainerSpec, Mount, Privileges, Profile, Pull, StartError};
use k8s_openapi::api::core::v1::{Container, Pod, SecurityContext};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tekton_controller::{Keyring, Login};
use tekton_podgen::image::Reference;
use tokio::sync::mpsc::UnboundedSender;

/// Why a container did not start.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It waits with this reason and message, to be tried again.
    Waiting(&'static str, String),
    /// It counts as ended, with exit code 128 and reason `StartError`.
    Ended(String),
}

/// A start of a container: everything of the pod that it needs, as it was when the start began.
pub(super) struct Launch {
    pub(super) ctx: Arc<Context>,
    pub(super) pod: Arc<Pod>,
    pub(super) container: Container,
    pub(super) volumes: Arc<tokio::sync::RwLock<Volumes>>,
    pub(super) index: usize,
    pub(super) attempt: i32,
    pub(super) replaced: bool,
    pub(super) events: UnboundedSender<Event>,
}

impl Launch {
    /// Starts the container, tells the worker, and sees it to its end.
    pub(super) async fn run(self) {
        let (index, attempt) = (self.index, self.attempt);
        let uid = self.pod.metadata.uid.clone().unwrap_or_default();
        let name = self.container.name.clone();
        let refuse = |refusal| drop(self.events.send(Event::Refused { index, attempt, refusal }));
        let (spec, message_file) = match self.spec().await {
            Ok(spec) => spec,
            Err(refusal) => return refuse(refusal),
        };
        let log = match self.ctx.logs.start(&uid, &name, attempt) {
            Ok(log) => log,
            Err(error) => {
                return refuse(Refusal::Waiting("CreateContainerError", format!("failed to make a log: {error}")));
            }
        };
        let started = match self.ctx.runtime.start(spec).await {
            Ok(started) => started,
            Err(error) => {
                log.end();
                return refuse(match error {
                    StartError::Start(text) => Refusal::Ended(text),
                    StartError::Config(text) => Refusal::Waiting("CreateContainerConfigError", text),
                    StartError::Image { reason, message } => Refusal::Waiting(reason, message),
                    other => Refusal::Waiting("CreateContainerError", other.to_string()),
                });
            }
        };
        let since = now();
        let process = started.container.clone();
        let attachment = Attachment {
            process: process.clone(),
            output: log.output(),
            input: Arc::new(tokio::sync::Mutex::new(started.stdin)),
            once: self.container.stdin_once == Some(true),
            terminal: started.terminal.map(Arc::new),
        };
        self.ctx.logs.runs(&uid, &name, attachment);
        let out = tokio::spawn(log.clone().copy("stdout", started.stdout));
        let err = tokio::spawn(log.clone().copy("stderr", started.stderr));
        let hook = self.container.lifecycle.as_ref().and_then(|l| l.post_start.as_ref()).filter(|_| !self.replaced);
        let hook_failed = match hook {
            Some(handler) => {
                let ended = async {
                    process.wait().await;
                    true
                };
                tokio::select! {
                    done = probe::hook(handler, &self.container, &process) => done.is_err(),
                    ended = ended => !ended,
                }
            }
            None => false,
        };
        drop(self.events.send(Event::Started { index, attempt, process: process.clone(), since: since.clone() }));
        if hook_failed {
            drop(self.events.send(Event::Unhealthy { index, attempt, check: Check::PostStart }));
        }
        let exit = process.wait().await;
        self.ctx.logs.rests(&uid, &name);
        // The process namespace has ended, so the streams end too, unless a descriptor went elsewhere.
        drop(tokio::time::timeout(Duration::from_secs(2), async { tokio::join!(out, err) }).await);
        let mut message = super::logs::termination_message(&message_file);
        let fallback = self.container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError");
        if fallback && exit.code != 0 && message.is_empty() {
            message = self.ctx.logs.tail(&uid, &name, attempt);
        }
        log.end();
        drop(self.events.send(Event::Exited { index, attempt, exit, message, since, finished: now() }));
    }

    async fn spec(&self) -> Result<(ContainerSpec, PathBuf), Refusal> {
        let config = |text: String| Refusal::Waiting("CreateContainerConfigError", text);
        let create = |text: String| Refusal::Waiting("CreateContainerError", text);
        let (pod, container) = (&*self.pod, &self.container);
        let pod_spec = pod.spec.as_ref().ok_or_else(|| config("the pod has no spec".into()))?;
        let env = env::of(&self.ctx, pod, container).await.map_err(config)?;
        let mut mounts = self.volumes.read().await.mounts(container, &env).map_err(config)?;
        let message_file =
            self.message_file(&mut mounts).map_err(|e| create(format!("failed to make a termination message: {e}")))?;
        let identity = Identity::of(pod, container);
        let mut groups: Vec<u32> = Vec::new();
        if let Some(context) = &pod_spec.security_context {
            groups.extend(
                context
                    .supplemental_groups
                    .iter()
                    .flatten()
                    .chain(&context.fs_group)
                    .filter_map(|g| u32::try_from(*g).ok()),
            );
        }
        let security = container.security_context.as_ref();
        let (command, args) = self.process(&env);
        let limits = container.resources.as_ref().and_then(|r| r.limits.as_ref());
        let limit = |name: &str| limits.and_then(|limits| limits.get(name)).and_then(fields::nano).filter(|n| *n > 0);
        let image = container.image.clone().unwrap_or_default();
        let login = self.login(&image).await.map_err(|text| Refusal::Waiting("ErrImagePull", text))?;
        let spec = ContainerSpec {
            namespace: pod.metadata.namespace.clone().unwrap_or_default(),
            pod: pod_spec.hostname.clone().or_else(|| pod.metadata.name.clone()).unwrap_or_default(),
            pod_uid: pod.metadata.uid.clone().unwrap_or_default(),
            name: container.name.clone(),
            // What a replaced container runs is the node's own.
            image: if self.replaced { crate::images().nop } else { image },
            pull: match container.image_pull_policy.as_deref() {
                Some("Always") => Pull::Always,
                Some("Never") => Pull::Never,
                _ => Pull::IfNotPresent,
            },
            login,
            command,
            args,
            stdin: container.stdin == Some(true),
            tty: container.tty == Some(true),
            working_dir: container.working_dir.clone().unwrap_or_default(),
            env,
            mounts,
            user: identity.user,
            group: identity.group,
            groups,
            read_only_root: security.and_then(|s| s.read_only_root_filesystem) == Some(true),
            no_new_privileges: security.and_then(|s| s.allow_privilege_escalation) == Some(false),
            non_root: identity.non_root,
            privileges: privileges(pod, container),
            cpu_limit: limit("cpu").and_then(|nano| i64::try_from(nano).ok()),
            memory_limit: limit("memory").and_then(|nano| i64::try_from(nano / 1_000_000_000).ok()),
            hidden: self.ctx.hidden.clone(),
        };
        Ok((spec, message_file))
    }

    /// The login that the pod has for the registry of its image.
    async fn login(&self, image: &str) -> Result<Option<Login>, String> {
        let spec = self.pod.spec.as_ref();
        let secrets = spec.and_then(|spec| spec.image_pull_secrets.as_deref()).unwrap_or_default();
        let Some(reference) = Reference::parse(image).ok().filter(|_| !secrets.is_empty()) else { return Ok(None) };
        let names: Vec<String> = secrets.iter().map(|secret| secret.name.clone()).collect();
        let namespace = self.pod.metadata.namespace.as_deref().unwrap_or("default");
        let keyring = Keyring::gather(&self.ctx.client, namespace, None, &names).await;
        Ok(keyring.map_err(|error| error.to_string())?.login(&reference.repository).cloned())
    }

    /// Command and arguments with variables replaced; one that was replaced does nothing.
    fn process(&self, env: &[(String, String)]) -> (Vec<String>, Vec<String>) {
        if self.replaced {
            return (vec!["/ko-app/nop".to_owned()], Vec::new());
        }
        let expanded = |words: &Option<Vec<String>>| {
            let words = words.iter().flatten();
            words.map(|text| expand::expand(text, |name| expand::in_env(env, name))).collect()
        };
        (expanded(&self.container.command), expanded(&self.container.args))
    }

    /// Makes the file of the termination message and mounts it.
    fn message_file(&self, mounts: &mut Vec<Mount>) -> std::io::Result<PathBuf> {
        let dir = self.ctx.pod_dir(&self.pod).join("messages");
        std::fs::create_dir_all(&dir)?;
        let file = dir.join(format!("{}-{}", self.container.name, self.attempt));
        std::fs::write(&file, "")?;
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666))?;
        let path = self
            .container
            .termination_message_path
            .as_deref()
            .filter(|p| !p.is_empty())
            .unwrap_or("/dev/termination-log");
        mounts.push(Mount {
            source: file.clone(),
            sub_path: String::new(),
            target: format!("/{}", path.trim_matches('/')),
            read_only: false,
            is_file: true,
        });
        Ok(file)
    }
}

/// What the container may do, by its own word, else by that of its pod.
fn privileges(pod: &Pod, container: &Container) -> Privileges {
    let own = container.security_context.as_ref();
    let of_pod = pod.spec.as_ref().and_then(|spec| spec.security_context.as_ref());
    let capabilities = own.and_then(|own| own.capabilities.as_ref());
    let names = |list: Option<&Vec<String>>| -> Vec<String> {
        let upper = list.into_iter().flatten().map(|name| name.to_ascii_uppercase());
        upper.map(|name| name.strip_prefix("CAP_").map_or(name.clone(), str::to_owned)).collect()
    };
    let profile = |kind: &str, name: Option<&String>| match kind {
        "Unconfined" => Profile::Unconfined,
        "Localhost" => Profile::Localhost(name.cloned().unwrap_or_default()),
        _ => Profile::RuntimeDefault,
    };
    let seccomp = own.and_then(|own| own.seccomp_profile.as_ref()).or(of_pod.and_then(|p| p.seccomp_profile.as_ref()));
    let apparmor =
        own.and_then(|own| own.app_armor_profile.as_ref()).or(of_pod.and_then(|p| p.app_armor_profile.as_ref()));
    Privileges {
        privileged: own.and_then(|own| own.privileged) == Some(true),
        add: names(capabilities.and_then(|c| c.add.as_ref())),
        drop: names(capabilities.and_then(|c| c.drop.as_ref())),
        seccomp: seccomp.map(|p| profile(&p.type_, p.localhost_profile.as_ref())).unwrap_or_default(),
        apparmor: apparmor.map(|p| profile(&p.type_, p.localhost_profile.as_ref())).unwrap_or_default(),
    }
}

/// Who the process is to be.
struct Identity {
    user: Option<u32>,
    group: Option<u32>,
    non_root: bool,
}

impl Identity {
    fn of(pod: &Pod, container: &Container) -> Self {
        let of_pod = pod.spec.as_ref().and_then(|s| s.security_context.as_ref());
        let own: Option<&SecurityContext> = container.security_context.as_ref();
        let id = |own: Option<i64>, of_pod: Option<i64>| own.or(of_pod).and_then(|id| u32::try_from(id).ok());
        Self {
            user: id(own.and_then(|s| s.run_as_user), of_pod.and_then(|s| s.run_as_user)),
            group: id(own.and_then(|s| s.run_as_group), of_pod.and_then(|s| s.run_as_group)),
            non_root: own.and_then(|s| s.run_as_non_root).or(of_pod.and_then(|s| s.run_as_non_root)) == Some(true),
        }
    }
}

//! Builds the Pod of a TaskRun: the passes, in their order.

use crate::convert::{self, list, text};
use crate::credentials::{self, Credentials};
use crate::facts::{Facts, Need};
use crate::init;
use crate::input::{BuildError, Input, Options};
use crate::merge;
use crate::metadata;
use crate::names::{self, RESULTS_SIDECAR, SIDECAR_PREFIX};
use crate::needs::{known, resolve_entrypoints, variable};
use crate::order::{self, Ordering};
use crate::script::{self, Scripted, ShellImages};
use crate::security::SecurityContextConfig;
use crate::suffix::Suffixes;
use crate::transform;
use crate::volumes;
use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, Volume, VolumeMount};
use tekton_contract::argv::{EntrypointArgs, RESULT_FROM_SIDECAR_LOGS};
use tekton_types::config::Config;
use tekton_types::pod::PodTemplate;
use tekton_types::v1::{Sidecar, Step, TaskRun, TaskRunDebug, TaskSpec};

/// Whether the run's nodes are selected by Windows.
pub fn uses_windows(run: &TaskRun) -> bool {
    run.spec
        .pod_template
        .as_ref()
        .is_some_and(|template| template.node_selector.get(names::OS_LABEL).map(String::as_str) == Some("windows"))
}

/// Whether the first step may start at once: nothing to wait for, or waiting is turned off.
pub fn ready_immediately(config: &Config, has_sidecars: bool) -> bool {
    let flags = &config.feature_flags;
    let waits = has_sidecars || flags.running_in_env_with_injected_sidecars;
    !(waits && flags.await_sidecar_readiness)
}

/// Builds the Pod of a TaskRun. Pure: the same input gives the same Pod.
///
/// Errors come in the order in which upstream finds them: credentials, image look-ups, ordering, volume names, server
/// version, LimitRanges.
pub fn build(input: &Input<'_>, options: &Options<'_>) -> Result<Pod, BuildError> {
    Builder::new(input, options)?.run()
}

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the configuration, read once")]
struct Builder<'a> {
    run: &'a TaskRun,
    task: &'a TaskSpec,
    facts: &'a Facts,
    options: &'a Options<'a>,
    template: PodTemplate,
    alpha: bool,
    spire: bool,
    windows: bool,
    security: SecurityContextConfig,
    sidecar_logs: bool,
    credentials: Credentials,
}

impl<'a> Builder<'a> {
    fn new(input: &Input<'a>, options: &'a Options<'a>) -> Result<Self, BuildError> {
        let flags = &options.config.feature_flags;
        let run = input.task_run;
        let credentials = if flags.disable_creds_init {
            Credentials::default()
        } else {
            credentials::credentials(
                &run.spec.service_account_name,
                input.facts,
                flags.require_git_ssh_secret_known_hosts,
            )?
        };
        Ok(Self {
            run,
            task: input.task_spec,
            facts: input.facts,
            options,
            template: run.spec.pod_template.clone().unwrap_or_default(),
            alpha: flags.enable_api_fields == "alpha",
            spire: flags.enforce_nonfalsifiability == "spire",
            windows: uses_windows(run),
            security: SecurityContextConfig {
                set_security_context: flags.set_security_context,
                set_read_only_root_filesystem: flags.set_security_context_read_only_root_filesystem,
            },
            sidecar_logs: flags.result_extraction_method == RESULT_FROM_SIDECAR_LOGS,
            credentials,
        })
    }

    fn run(mut self) -> Result<Pod, BuildError> {
        let flags = &self.options.config.feature_flags;
        let images = self.options.images;
        let mut steps = merge::steps_with_template(self.task);
        merge::override_steps(&mut steps, &self.run.spec.step_specs);
        if let Some(resources) = &self.run.spec.compute_resources {
            transform::spread_resources(&mut steps, resources);
        }
        let results_sidecar =
            self.sidecar_logs && (!self.task.results.is_empty() || init::any_refers_to_artifacts(&steps));
        let sidecars = self.sidecars(results_sidecar.then_some(&steps));
        let common = self.common_args(results_sidecar);
        let ready = ready_immediately(self.options.config, !sidecars.is_empty());

        let mut init = vec![init::prepare(
            &images.entrypoint,
            steps.iter().map(|step| step.name.as_str()),
            self.security,
            self.windows,
        )];
        // Five implicit ones, those of scripts, entrypoint and annotations, and two for each step. A volume is large.
        let own = self.task.volumes.len() + self.template.volumes.len();
        let mut volumes = Vec::with_capacity(8 + self.credentials.volumes.len() + 2 * steps.len() + own);
        volumes.extend(volumes::implicit());
        volumes.append(&mut self.credentials.volumes);
        let (scripts, mut steps, mut sidecars) = self.place_scripts(steps, sidecars);
        if let Some(scripts) = scripts {
            init.push(scripts);
            volumes.push(volumes::empty_dir(volumes::SCRIPTS));
        }
        if self.debug().is_some_and(TaskRunDebug::needs_debug) {
            volumes.push(volumes::empty_dir(volumes::DEBUG_SCRIPTS));
            volumes.push(volumes::empty_dir(volumes::DEBUG_INFO));
        }
        init.extend(init::working_dir(&images.working_dir_init, &steps, self.security, self.windows));
        resolve_entrypoints(&mut steps, &self.facts.images)?;
        order::order(
            &mut steps,
            Some(self.task),
            Ordering {
                common: &common,
                debug: self.debug(),
                wait_for_ready: !ready,
                keep_pod_on_cancel: flags.enable_keep_pod_on_cancel,
            },
        )?;
        volumes.push(volumes::empty_dir(volumes::BIN));
        if !ready || flags.enable_keep_pod_on_cancel {
            volumes.push(volumes::downward(flags.enable_keep_pod_on_cancel));
        }
        self.add_variables(&mut steps);
        self.mount_implicit(&mut steps, &mut sidecars, &mut volumes, results_sidecar);
        for (index, step) in steps.iter_mut().enumerate() {
            let name = names::step_container(&step.name, index);
            names::restrict_length(&name).clone_into(&mut step.name);
        }
        volumes.extend(self.task.volumes.iter().cloned());
        volumes.append(&mut self.template.volumes);
        volumes::check_unique(&volumes)?;
        if self.spire {
            volumes.push(volumes::spire());
            for container in steps.iter_mut().chain(&mut init) {
                container.volume_mounts.get_or_insert_default().push(volumes::spire_mount());
            }
        }
        self.merge_sidecars(sidecars, &mut steps, &mut init)?;
        let mut pod = self.assemble(init, steps, volumes, ready);
        if self.options.transform {
            self.transform(&mut pod)?;
        }
        transform::canonical_quantities(&mut pod);
        Ok(pod)
    }

    fn debug(&self) -> Option<&'a TaskRunDebug> {
        self.run.spec.debug.as_ref().filter(|_| self.alpha)
    }

    /// The task's sidecars, and the one that prints the results of `printed` steps.
    fn sidecars(&self, printed: Option<&Vec<Step>>) -> Vec<Sidecar> {
        let mut sidecars = self.task.sidecars.clone();
        if let Some(steps) = printed {
            let how = init::ResultsSidecar {
                image: &self.options.images.sidecar_log_results,
                security: self.security,
                windows: self.windows,
                polling_interval: &self.options.config.defaults.default_sidecar_log_polling_interval.to_string(),
            };
            sidecars.push(init::results_sidecar(&self.task.results, steps, how));
        }
        merge::override_sidecars(&mut sidecars, &self.run.spec.sidecar_specs);
        sidecars
    }

    /// What every step is told: SPIRE, credentials, where results go, compression.
    fn common_args(&mut self, results_sidecar: bool) -> EntrypointArgs {
        let compress = self.options.config.feature_flags.enable_termination_message_compression;
        EntrypointArgs {
            enable_spire: self.spire,
            credentials: std::mem::take(&mut self.credentials.flags),
            result_from: results_sidecar.then(|| RESULT_FROM_SIDECAR_LOGS.to_owned()),
            compress_termination_message: compress && !self.sidecar_logs,
            ..EntrypointArgs::default()
        }
    }

    fn place_scripts(
        &self,
        steps: Vec<Step>,
        sidecars: Vec<Sidecar>,
    ) -> (Option<Container>, Vec<Container>, Vec<Container>) {
        let mut steps: Vec<Scripted> = steps.into_iter().map(convert::step).collect();
        let mut sidecars: Vec<Scripted> = sidecars.into_iter().map(convert::sidecar).collect();
        let mut suffixes = self
            .options
            .suffixes
            .clone()
            .unwrap_or_else(|| Suffixes::seeded(self.run.metadata.uid.as_deref().unwrap_or_default()));
        let images = ShellImages {
            linux: &self.options.images.shell,
            windows: if self.alpha { &self.options.images.shell_windows } else { "" },
        };
        let init = script::place(images, &mut steps, &mut sidecars, self.debug(), self.security, &mut suffixes);
        let containers = |scripted: Vec<Scripted>| scripted.into_iter().map(|s| s.container).collect();
        (init, containers(steps), containers(sidecars))
    }

    /// Variables of the Pod template win over the step's own, and hermetic execution over both.
    fn add_variables(&self, steps: &mut [Container]) {
        let forbidden = &self.options.config.defaults.default_forbidden_env;
        let annotations = self.run.metadata.annotations.as_ref();
        let hermetic = self.alpha
            && annotations.and_then(|all| all.get(names::EXECUTION_MODE_ANNOTATION)).map(String::as_str)
                == Some(names::EXECUTION_MODE_HERMETIC);
        for step in steps {
            let mut env = step.env.take().unwrap_or_default();
            env.extend(self.template.env.iter().filter(|variable| !forbidden.contains(&variable.name)).cloned());
            if hermetic {
                env.push(variable(names::HERMETIC_VARIABLE, "1".to_owned()));
            }
            step.env = list(env);
        }
    }

    fn mount_implicit(
        &mut self,
        steps: &mut [Container],
        sidecars: &mut [Container],
        volumes: &mut Vec<Volume>,
        results_sidecar: bool,
    ) {
        let mut defaults = vec![volumes::mount(volumes::BIN, names::BIN_DIR, true)];
        defaults.extend(volumes::implicit_mounts());
        defaults.append(&mut self.credentials.mounts);
        let count = steps.len();
        let runs: Vec<VolumeMount> = (0..count).map(|step| volumes::run_mount(step, true)).collect();
        let with_creds = !self.options.config.feature_flags.disable_creds_init;
        for (index, step) in steps.iter_mut().enumerate() {
            let mounts = step.volume_mounts.get_or_insert_default();
            mounts.reserve_exact(count + defaults.len() + 2);
            if with_creds {
                let (volume, mount) = volumes::creds_home(index);
                volumes.push(volume);
                mounts.push(mount);
            }
            // A step may write only its own state; it reads that of the others.
            volumes.push(volumes::run(index));
            let first = mounts.len();
            mounts.extend_from_slice(&runs);
            mounts[first + index].read_only = None;
            volumes::add_unmounted(mounts, &defaults);
        }
        if !results_sidecar {
            return;
        }
        for sidecar in sidecars.iter_mut().filter(|s| s.name == RESULTS_SIDECAR) {
            let mounts = sidecar.volume_mounts.get_or_insert_default();
            mounts.extend_from_slice(&runs);
            volumes::add_unmounted(mounts, &defaults);
        }
    }

    /// Sidecars run beside the steps, or as init containers that restart where Kubernetes supports it.
    fn merge_sidecars(
        &self,
        sidecars: Vec<Container>,
        steps: &mut Vec<Container>,
        init: &mut Vec<Container>,
    ) -> Result<(), BuildError> {
        let native = self.options.config.feature_flags.enable_kubernetes_sidecar
            && known(self.facts.server_version.as_ref(), || Need::ServerVersion)?
                .is_some_and(crate::facts::ServerVersion::has_native_sidecars);
        for mut sidecar in sidecars {
            if native {
                sidecar.restart_policy = Some("Always".to_owned());
                if sidecar.name == RESULTS_SIDECAR {
                    // Ending would only make Kubernetes start it again.
                    let command = sidecar.command.get_or_insert_default();
                    command.push("-kubernetes-sidecar-mode".to_owned());
                    command.push("true".to_owned());
                }
            }
            let name = format!("{SIDECAR_PREFIX}{}", sidecar.name);
            names::restrict_length(&name).clone_into(&mut sidecar.name);
            if native {
                init.push(sidecar);
            } else {
                steps.push(sidecar);
            }
        }
        Ok(())
    }

    fn assemble(&mut self, init: Vec<Container>, containers: Vec<Container>, volumes: Vec<Volume>, ready: bool) -> Pod {
        let PodTemplate {
            node_selector,
            env: _,
            tolerations,
            affinity,
            security_context,
            volumes: _,
            runtime_class_name,
            automount_service_account_token,
            dns_policy,
            dns_config,
            enable_service_links,
            priority_class_name,
            scheduler_name,
            image_pull_secrets,
            host_aliases,
            host_network,
            host_users,
            topology_spread_constraints,
        } = std::mem::take(&mut self.template);
        Pod {
            metadata: metadata::of_pod(self.run, self.options, ready),
            spec: Some(PodSpec {
                restart_policy: Some("Never".to_owned()),
                init_containers: list(init),
                containers,
                service_account_name: text(self.run.spec.service_account_name.clone()),
                volumes: list(volumes),
                node_selector: (!node_selector.is_empty()).then_some(node_selector),
                tolerations: list(tolerations),
                affinity,
                security_context,
                runtime_class_name,
                automount_service_account_token,
                scheduler_name: text(scheduler_name),
                host_network: host_network.then_some(true),
                host_users,
                dns_policy,
                dns_config,
                enable_service_links,
                priority_class_name,
                image_pull_secrets: list(image_pull_secrets),
                host_aliases: list(host_aliases),
                topology_spread_constraints: list(topology_spread_constraints),
                active_deadline_seconds: Some(metadata::active_deadline_seconds(self.run, self.options.config)),
                ..PodSpec::default()
            }),
            status: None,
        }
    }

    fn transform(&self, pod: &mut Pod) -> Result<(), BuildError> {
        transform::default_resources(pod, &self.options.config.defaults.default_container_resource_requirements);
        let ranges = known(self.facts.limit_ranges.as_ref(), || Need::LimitRanges)?;
        transform::limit_range(pod, ranges.map_or(&[], Vec::as_slice));
        if let Some(annotations) = &self.run.metadata.annotations {
            transform::affinity_assistant(pod, annotations);
        }
        Ok(())
    }
}

//! Which fields take values in the place of `$(…)`: one trait, beside the types that have the fields.
//!
//! Each implementation names every field of its type, so that a new field forces a choice; `_` means that
//! references stay as they are there.

mod pod;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, KeyToPath, Volume, VolumeMount};
use tekton_contract::json;
use tekton_contract::var::Table;

use crate::refs;
use crate::v1::{
    Param, ParamValue, Sidecar, Step, StepOutputConfig, StepTemplate, TaskSpec, WhenExpression, WorkspaceBinding,
    WorkspaceDeclaration,
};

/// Puts the values of a table in the place of references. What the table does not know stays for a later pass.
pub trait Substitute {
    /// Replaces references in place.
    fn substitute(&mut self, table: &Table);
}

impl<T: Substitute> Substitute for Vec<T> {
    fn substitute(&mut self, table: &Table) {
        for item in self.iter_mut() {
            item.substitute(table);
        }
    }
}

impl<T: Substitute> Substitute for Option<T> {
    fn substitute(&mut self, table: &Table) {
        for item in self.iter_mut() {
            item.substitute(table);
        }
    }
}

/// What may stand where a value is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accepts {
    /// Strings only.
    Strings,
    /// Strings, and whole arrays.
    Arrays,
    /// Strings, whole arrays and whole objects.
    Objects,
}

/// Replaces references in a value. A string that is one reference to a whole array or object becomes one.
pub fn value(value: &mut ParamValue, table: &Table, accepts: Accepts) {
    match value {
        ParamValue::Array(items) if accepts == Accepts::Strings => {
            for item in items.iter_mut() {
                table.apply_to(item);
            }
        }
        ParamValue::Array(items) => *items = table.apply_list(items),
        ParamValue::Object(entries) => entries.values_mut().for_each(|entry| table.apply_to(entry)),
        ParamValue::String(text) => {
            if let Some(whole) = whole(text, table, accepts) {
                *value = whole;
            } else if !is_all_of_something(text) {
                table.apply_to(text);
            }
        }
    }
}

/// Replaces references in the values of params.
pub fn params(params: &mut [Param], table: &Table, accepts: Accepts) {
    for param in params.iter_mut() {
        value(&mut param.value, table, accepts);
    }
}

/// The array or object that a text stands for, when the text is one plain reference and nothing else.
fn whole(text: &str, table: &Table, accepts: Accepts) -> Option<ParamValue> {
    let inner = text.strip_prefix("$(")?.strip_suffix(')')?;
    if refs::expressions(text).next() != Some(inner) {
        return None;
    }
    let key = inner.strip_suffix("[*]").unwrap_or(inner);
    if accepts >= Accepts::Objects
        && let Some(entries) = table.object(key)
    {
        return Some(ParamValue::Object(entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect()));
    }
    let is_array = accepts >= Accepts::Arrays && table.array(key).is_some();
    is_array.then(|| ParamValue::Array(table.apply_array(text)))
}

/// The text is one reference to all elements of something: no string can stand for that, only an array or an object.
fn is_all_of_something(text: &str) -> bool {
    text.ends_with("[*])") && refs::expressions(text).next().is_some_and(|inner| inner.len() + 3 == text.len())
}

impl Substitute for ParamValue {
    fn substitute(&mut self, table: &Table) {
        value(self, table, Accepts::Objects);
    }
}

impl Substitute for Param {
    fn substitute(&mut self, table: &Table) {
        let Self { name: _, value } = self;
        value.substitute(table);
    }
}

/// An input that is a whole array becomes its JSON text; a value that is a whole array becomes its elements.
impl Substitute for WhenExpression {
    fn substitute(&mut self, table: &Table) {
        let Self { input, operator: _, values, cel } = self;
        *input = when_input(input, table);
        *values = table.apply_list(values);
        table.apply_to(cel);
    }
}

fn when_input(input: &str, table: &Table) -> String {
    let param = input.strip_prefix("$(params.").unwrap_or(input);
    let param = format!("params.{}", param.strip_suffix("[*])").unwrap_or(param));
    let result = input.strip_prefix("$(").unwrap_or(input);
    let result = result.strip_suffix(')').unwrap_or(result);
    let result = result.strip_suffix("[*]").unwrap_or(result);
    if table.array(&param).is_some() || table.array(result).is_some() {
        return json::quote_list(&table.apply_array(input));
    }
    table.apply(input).into_owned()
}

/// The fields that every container of a task has.
struct Container<'c> {
    image: &'c mut String,
    image_pull_policy: &'c mut String,
    command: &'c mut Vec<String>,
    args: &'c mut Vec<String>,
    working_dir: &'c mut String,
    env: &'c mut Vec<EnvVar>,
    env_from: &'c mut Vec<EnvFromSource>,
    volume_mounts: &'c mut Vec<VolumeMount>,
}

impl Container<'_> {
    fn substitute(self, table: &Table) {
        let Self { image, image_pull_policy, command, args, working_dir, env, env_from, volume_mounts } = self;
        for text in [image, image_pull_policy, working_dir] {
            table.apply_to(text);
        }
        *command = table.apply_list(command);
        *args = table.apply_list(args);
        for var in env {
            optional(&mut var.value, table);
            let Some(source) = &mut var.value_from else { continue };
            if let Some(secret) = &mut source.secret_key_ref {
                table.apply_to(&mut secret.name);
                table.apply_to(&mut secret.key);
            }
            if let Some(config_map) = &mut source.config_map_key_ref {
                table.apply_to(&mut config_map.name);
                table.apply_to(&mut config_map.key);
            }
        }
        for source in env_from {
            optional(&mut source.prefix, table);
            source.config_map_ref.iter_mut().for_each(|source| table.apply_to(&mut source.name));
            source.secret_ref.iter_mut().for_each(|source| table.apply_to(&mut source.name));
        }
        for mount in volume_mounts {
            table.apply_to(&mut mount.name);
            table.apply_to(&mut mount.mount_path);
            optional(&mut mount.sub_path, table);
        }
    }
}

fn optional(text: &mut Option<String>, table: &Table) {
    for text in text.iter_mut() {
        table.apply_to(text);
    }
}

impl Substitute for StepOutputConfig {
    fn substitute(&mut self, table: &Table) {
        let Self { path } = self;
        table.apply_to(path);
    }
}

impl Substitute for Step {
    fn substitute(&mut self, table: &Table) {
        let Self {
            name,
            display_name: _,
            image,
            command,
            args,
            working_dir,
            env_from,
            env,
            compute_resources: _,
            volume_mounts,
            volume_devices: _,
            image_pull_policy,
            security_context: _,
            script,
            timeout: _,
            workspaces: _,
            on_error,
            stdout_config,
            stderr_config,
            r#ref: _,
            params,
            results: _,
            when,
        } = self;
        params.substitute(table);
        for text in [name, script, on_error] {
            table.apply_to(text);
        }
        stdout_config.substitute(table);
        stderr_config.substitute(table);
        when.substitute(table);
        Container { image, image_pull_policy, command, args, working_dir, env, env_from, volume_mounts }
            .substitute(table);
    }
}

impl Substitute for StepTemplate {
    fn substitute(&mut self, table: &Table) {
        let Self {
            image,
            command,
            args,
            working_dir,
            env_from,
            env,
            compute_resources: _,
            volume_mounts,
            volume_devices: _,
            image_pull_policy,
            security_context: _,
        } = self;
        Container { image, image_pull_policy, command, args, working_dir, env, env_from, volume_mounts }
            .substitute(table);
    }
}

impl Substitute for Sidecar {
    fn substitute(&mut self, table: &Table) {
        let Self {
            name,
            image,
            command,
            args,
            working_dir,
            ports: _,
            env_from,
            env,
            compute_resources: _,
            volume_mounts,
            volume_devices: _,
            liveness_probe: _,
            readiness_probe: _,
            startup_probe: _,
            lifecycle: _,
            termination_message_path: _,
            termination_message_policy: _,
            image_pull_policy,
            security_context: _,
            stdin: _,
            stdin_once: _,
            tty: _,
            script,
            workspaces: _,
            restart_policy: _,
        } = self;
        table.apply_to(name);
        table.apply_to(script);
        Container { image, image_pull_policy, command, args, working_dir, env, env_from, volume_mounts }
            .substitute(table);
    }
}

impl Substitute for WorkspaceDeclaration {
    fn substitute(&mut self, table: &Table) {
        let Self { name: _, description: _, mount_path, read_only: _, optional: _ } = self;
        table.apply_to(mount_path);
    }
}

impl Substitute for TaskSpec {
    fn substitute(&mut self, table: &Table) {
        let Self {
            params: _,
            display_name: _,
            description: _,
            steps,
            volumes,
            step_template,
            sidecars,
            workspaces,
            results: _,
        } = self;
        steps.substitute(table);
        step_template.substitute(table);
        for volume in volumes.iter_mut() {
            volume_of_task(volume, table);
        }
        workspaces.substitute(table);
        sidecars.substitute(table);
    }
}

/// The fields of a volume of a task; a type of Kubernetes, so only the fields that take values are named.
fn volume_of_task(volume: &mut Volume, table: &Table) {
    table.apply_to(&mut volume.name);
    if let Some(config_map) = &mut volume.config_map {
        table.apply_to(&mut config_map.name);
        key_paths(&mut config_map.items, table);
    }
    if let Some(secret) = &mut volume.secret {
        optional(&mut secret.secret_name, table);
        key_paths(&mut secret.items, table);
    }
    if let Some(claim) = &mut volume.persistent_volume_claim {
        table.apply_to(&mut claim.claim_name);
    }
    for source in volume.projected.iter_mut().flat_map(|p| p.sources.iter_mut().flatten()) {
        source.config_map.iter_mut().for_each(|source| table.apply_to(&mut source.name));
        source.secret.iter_mut().for_each(|source| table.apply_to(&mut source.name));
        source.service_account_token.iter_mut().for_each(|token| optional(&mut token.audience, table));
    }
    if let Some(csi) = &mut volume.csi {
        csi.node_publish_secret_ref.iter_mut().for_each(|secret| table.apply_to(&mut secret.name));
        csi.volume_attributes.iter_mut().flat_map(|a| a.values_mut()).for_each(|value| table.apply_to(value));
    }
}

fn key_paths(items: &mut Option<Vec<KeyToPath>>, table: &Table) {
    for item in items.iter_mut().flatten() {
        table.apply_to(&mut item.key);
        table.apply_to(&mut item.path);
    }
}

impl Substitute for WorkspaceBinding {
    fn substitute(&mut self, table: &Table) {
        let Self {
            name: _,
            sub_path,
            volume_claim_template: _,
            persistent_volume_claim,
            empty_dir: _,
            config_map,
            secret,
            projected,
            csi,
        } = self;
        table.apply_to(sub_path);
        if let Some(claim) = persistent_volume_claim {
            table.apply_to(&mut claim.claim_name);
        }
        if let Some(config_map) = config_map {
            table.apply_to(&mut config_map.name);
            key_paths(&mut config_map.items, table);
        }
        if let Some(secret) = secret {
            optional(&mut secret.secret_name, table);
            key_paths(&mut secret.items, table);
        }
        for source in projected.iter_mut().flat_map(|p| p.sources.iter_mut().flatten()) {
            if let Some(config_map) = &mut source.config_map {
                table.apply_to(&mut config_map.name);
                key_paths(&mut config_map.items, table);
            }
            if let Some(secret) = &mut source.secret {
                table.apply_to(&mut secret.name);
                key_paths(&mut secret.items, table);
            }
        }
        if let Some(csi) = csi {
            table.apply_to(&mut csi.driver);
            csi.node_publish_secret_ref.iter_mut().for_each(|secret| table.apply_to(&mut secret.name));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new();
        table.set("params.name", "a");
        table.set_array("params.list", ["1", "2"]);
        table.set_object("params.map", [("k", "v")]);
        table
    }

    #[test]
    fn a_string_that_is_one_whole_array_becomes_one_where_arrays_are_accepted() {
        let mut given = ParamValue::from("$(params.list[*])");
        value(&mut given, &table(), Accepts::Strings);
        assert_eq!(given, "$(params.list[*])".into());
        value(&mut given, &table(), Accepts::Arrays);
        assert_eq!(given, ParamValue::Array(vec!["1".into(), "2".into()]));
    }

    #[test]
    fn a_reference_to_all_elements_of_a_string_stays_unless_text_stands_around_it() {
        let mut table = Table::new();
        table.set("tasks.t.results.r[*]", "x");
        let substituted = |text: &str| {
            let mut given = ParamValue::from(text);
            value(&mut given, &table, Accepts::Objects);
            given
        };
        assert_eq!(substituted("$(tasks.t.results.r[*])"), "$(tasks.t.results.r[*])".into());
        assert_eq!(substituted("a $(tasks.t.results.r[*])"), "a x".into());
    }

    #[test]
    fn the_input_of_a_guard_becomes_the_json_of_its_array() {
        let mut when = WhenExpression { input: "$(params.list[*])".into(), ..WhenExpression::default() };
        when.values = vec!["$(params.list[*])".into(), "$(params.name)".into()];
        when.substitute(&table());
        assert_eq!(when.input, r#"["1","2"]"#);
        assert_eq!(when.values, ["1", "2", "a"]);
    }
}

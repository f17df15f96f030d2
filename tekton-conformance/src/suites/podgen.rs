//! Suite `podgen`: a TaskRun and a prepared TaskSpec become a Pod.

use serde_json::{Value, json};
use tekton_podgen::suffix::Suffixes;
use tekton_podgen::{Input, Options, build};
use tekton_types::v1::{TaskRun, TaskSpec};

use super::podgen_support as support;
use crate::Case;

pub(crate) fn check(case: &Case) -> Result<(), String> {
    let input = &case.input;
    let config = support::config(&input["config"])?;
    let images = support::images(&input["images"]);
    let task_run: TaskRun = support::read(&input["taskRun"])?;
    let task_spec: TaskSpec = support::read(&input["taskSpec"])?;
    let release = support::text(&input["release"]);
    let options = Options {
        config: &config,
        images: &images,
        release: &release,
        suffixes: Some(Suffixes::numbered()),
        transform: !input["transformers"].is_null(),
    };
    let mut facts = support::facts(input, &input["taskRun"]["metadata"]["namespace"])?;
    for _ in 0..3 {
        let needs =
            tekton_podgen::needs(&Input { task_run: &task_run, task_spec: &task_spec, facts: &facts }, &options);
        if needs.is_empty() {
            break;
        }
        support::answer(&mut facts, needs, &input["imageMetadata"])?;
    }
    let built = build(&Input { task_run: &task_run, task_spec: &task_spec, facts: &facts }, &options);
    let ours = match built {
        Ok(pod) => {
            let mut pod = serde_json::to_value(pod).map_err(|error| error.to_string())?;
            let lookups: Vec<Value> = tekton_podgen::needs::image_lookups(&task_spec)
                .into_iter()
                .map(|lookup| {
                    let reference = tekton_podgen::image::Reference::parse(&lookup.image);
                    json!({"image": reference.map(|r| r.name()).unwrap_or_default(), "hasArgs": lookup.has_args})
                })
                .collect();
            support::strip_type(&mut pod);
            json!({"pod": pod, "imageLookups": lookups})
        }
        Err(error) => json!({"error": error.to_string()}),
    };
    let mut expect = case.expect.clone();
    support::strip_type(&mut expect["pod"]);
    support::equal_with_pod(&expect, &ours)
}

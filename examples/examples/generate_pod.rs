//! Generates the Pod of a TaskRun, to run Tekton Tasks in a way of your own. What is not known yet is asked for.

use tekton_podgen::k8s_openapi::api::core::v1::ServiceAccount;
use tekton_podgen::{Fact, Facts, Images, Input, Need, Options, build, needs};
use tekton_types::config::Config;
use tekton_types::v1::{Task, TaskRun};
use tekton_types::yaml;

const TASK: &str = "\
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: greet}
spec:
  steps:
    - {name: hello, image: busybox, script: echo hello}
    - {name: goodbye, image: busybox, command: [echo, goodbye]}
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let documents = yaml::parse(TASK)?;
    let task: Task = serde_json::from_value(documents[0].to_json())?;
    let mut task_run = TaskRun::default();
    task_run.metadata.name = Some("greet-1".to_owned());

    let (config, images) = (
        Config::default(),
        Images { entrypoint: "entrypoint".to_owned(), shell: "busybox".to_owned(), ..Images::default() },
    );
    let options = Options { config: &config, images: &images, release: "example", suffixes: None, transform: true };
    let mut facts = Facts::default();
    for need in needs(&Input { task_run: &task_run, task_spec: &task.spec, facts: &facts }, &options) {
        eprintln!("asked for {need:?}");
        if let Need::ServiceAccount(name) = need {
            facts.service_accounts.insert(name, Fact::Known(ServiceAccount::default()));
        }
    }
    facts.limit_ranges = Some(Fact::Known(Vec::new()));
    let pod = build(&Input { task_run: &task_run, task_spec: &task.spec, facts: &facts }, &options)?;
    print!("{}", yaml::to_string(&pod));
    Ok(())
}

//! Checks a manifest as a cluster would, offline: every error at once, each at its line, with the fix.

use tekton_validate::check::{Options, Source, check_files};
use tekton_validate::render;

const MANIFEST: &str = "\
apiVersion: tekton.dev/v1
kind: TaskRun
metadata:
  name: build
spec:
  podTemplate:
    serviceAccountName: builder
  taskSpec:
    params:
      - name: image
    steps:
      - name: build
        image: golang
        script: go build -o $(params.imgae) .
";

fn main() {
    let sources = [Source { name: "build.yaml".to_owned(), text: MANIFEST.to_owned() }];
    let report = check_files(&sources, &Options { lint: true, ..Options::default() });
    print!("{}", render::text(&report, &sources));
    assert!(report.errors() > 0, "the manifest has mistakes on purpose");
}

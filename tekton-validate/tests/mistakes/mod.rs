//! The mistakes that people make most, and what they are told. The texts in `snapshots` are read as a user who has just
//! made the mistake; a change to one of them is a change to the product.

use tekton_types::config::Config;
use tekton_validate::{Options, Source, check_files, render};

/// One file of documents, each under a line `=== name`, with `lint` behind the name where lint is to find it.
const MISTAKES: &str = include_str!("mistakes.txt");

#[test]
fn each_of_the_usual_mistakes_is_told_with_its_place_and_what_to_do() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut count = 0;
    let mut wrong = Vec::new();
    for case in MISTAKES.split("=== ").skip(1) {
        let (head, text) = case.split_once('\n').expect("a name and a text");
        let (name, lint) = head.split_once(' ').map_or((head, false), |(name, rest)| (name, rest == "lint"));
        let sources = [Source { name: "ci.yaml".to_owned(), text: text.to_owned() }];
        let report = check_files(&sources, &Options { config: Config::default(), lint, alone: false });
        if report.findings.is_empty() {
            wrong.push(format!("{name}: nothing found"));
        }
        for finding in &report.findings {
            let rule = tekton_validate::catalogue::rule(finding.diagnostic.code);
            if rule.is_none_or(|rule| finding.fix.is_some() && !rule.fixable) {
                wrong.push(format!(
                    "{name}: the catalogue does not know {}, or not that it has a fix",
                    finding.diagnostic.code
                ));
            }
            if finding.diagnostic.help.is_none() {
                wrong.push(format!("{name}: no help for {:?}", finding.diagnostic));
            }
        }
        settings.bind(|| insta::assert_snapshot!(name, render::text(&report, &sources)));
        count += 1;
    }
    assert!(count >= 40, "{count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

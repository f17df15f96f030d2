//! The mistakes that people make most, and what they are told. The texts in `snapshots` are read as a user who has just
//! made the mistake; a change to one of them is a change to the product.

use std::collections::BTreeSet;

use tekton_types::config::Config;
use tekton_validate::catalogue::RULES;
use tekton_validate::{Options, Source, check_files, render};

/// One file of documents, each under a line `=== name`; behind the name stand feature flags, `flag=value`, and `lint`
/// where lint is to find it.
const MISTAKES: &str = include_str!("mistakes.txt");

#[test]
fn each_of_the_usual_mistakes_is_told_with_its_place_and_what_to_do() {
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let mut count = 0;
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for case in MISTAKES.split("=== ").skip(1) {
        let (head, text) = case.split_once('\n').expect("a name and a text");
        let (name, rest) = head.split_once(' ').unwrap_or((head, ""));
        let lint = rest.split(' ').any(|word| word == "lint");
        let flags = rest.split(' ').filter_map(|word| word.split_once('='));
        let flags = flags.map(|(flag, value)| (flag.to_owned(), value.to_owned())).collect();
        let config = Config::from_config_maps([("feature-flags", &flags)]).expect("the flags are known");
        let sources = [Source { name: "ci.yaml".to_owned(), text: text.to_owned() }];
        let report = check_files(&sources, &Options { config, lint, alone: false });
        if report.findings.is_empty() {
            wrong.push(format!("{name}: nothing found"));
        }
        for finding in &report.findings {
            seen.insert(finding.diagnostic.code);
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
    // A file is new to a cluster: nothing in it can be a change of what must not change. And `invalid` is for texts of
    // upstream that have no code of their own.
    let shown = |code: &str| seen.contains(code) || matches!(code, "immutable" | "invalid");
    let unseen: Vec<&str> = RULES.iter().map(|rule| rule.code).filter(|code| !shown(code)).collect();
    assert!(unseen.is_empty(), "no mistake shows {unseen:?}");
}

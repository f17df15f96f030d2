//! The table of feature flags: its page of documentation, its defaults, and what it refuses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use tekton_types::config::{FLAGS, FeatureFlags};

fn page() -> String {
    let mut out = "# Feature flags\n\n\
        Keys of the ConfigMap `feature-flags`, in the order in which they are read. `tekton validate`, `run` and `serve` \
        take the ConfigMap\nwith `--config FILE`; `--api-fields STAGE` sets `enable-api-fields` alone. A value that is not \
        allowed is refused, and unknown keys are passed over.\n\n\
        This page is made from the table in `tekton-types/src/config/flags.rs`: `UPDATE=1 cargo test -p tekton-types` \
        writes it anew.\n\n\
        | key | stage | default | values | what it does |\n|---|---|---|---|---|\n"
        .to_owned();
    for flag in FLAGS {
        let choices: Vec<String> = flag.choices().iter().map(|choice| format!("`{choice}`")).collect();
        let default = if flag.default.is_empty() { String::new() } else { format!("`{}`", flag.default) };
        let values = if choices.is_empty() { flag.values().to_owned() } else { choices.join(", ") };
        writeln!(out, "| `{}` | {} | {default} | {values} | {} |", flag.key, flag.stage.as_str(), flag.doc)
            .expect("writing to a string");
    }
    out
}

/// `UPDATE=1` writes the page instead.
#[test]
fn the_committed_page_is_that_of_the_table() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/feature-flags.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, page()).unwrap();
    }
    assert!(std::fs::read_to_string(&file).unwrap_or_default() == page(), "out of date: run with UPDATE=1");
}

#[test]
fn every_flag_has_a_key_of_its_own_a_sentence_and_an_allowed_default() {
    for (index, flag) in FLAGS.iter().enumerate() {
        assert!(FLAGS[..index].iter().all(|other| other.key != flag.key), "{} stands twice", flag.key);
        assert!(flag.doc.ends_with('.') && flag.doc.len() > 15, "{}", flag.key);
        let choices = flag.choices();
        assert!(choices.is_empty() || choices.contains(&flag.default), "{}", flag.key);
        let given = BTreeMap::from([(flag.key.to_owned(), flag.default.to_owned())]);
        assert_eq!(FeatureFlags::from_map(&given).unwrap(), FeatureFlags::default(), "{}", flag.key);
    }
}

#[test]
fn every_listed_value_is_allowed_and_others_are_refused_with_the_flags_value() {
    for flag in FLAGS.iter().filter(|flag| !flag.choices().is_empty()) {
        for choice in flag.choices() {
            let given = BTreeMap::from([(flag.key.to_owned(), (*choice).to_owned())]);
            assert!(FeatureFlags::from_map(&given).is_ok(), "{}: {choice}", flag.key);
        }
        let given = BTreeMap::from([(flag.key.to_owned(), "perhaps".to_owned())]);
        let refused = FeatureFlags::from_map(&given).expect_err(flag.key).to_string();
        assert!(refused.contains("perhaps"), "{}: {refused}", flag.key);
    }
}

//! Whatever text comes: no panic, places within the text, fixes that settle more than they break.

use proptest::prelude::*;
use tekton_types::config::Config;
use tekton_validate::fix::fix;
use tekton_validate::{Options, Source, check_files, render};

const MISTAKES: &str = include_str!("../mistakes/mistakes.txt");

/// One of the usual mistakes, with a few bytes put in, taken out or doubled.
fn texts() -> impl Strategy<Value = String> {
    let texts: Vec<&str> =
        MISTAKES.split("=== ").skip(1).filter_map(|case| case.split_once('\n')).map(|(_, text)| text).collect();
    let piece = prop::sample::select(vec![
        "",
        "a",
        " ",
        "\n",
        "  ",
        "- ",
        ": ",
        "\"",
        "'",
        "$(params.url)",
        "$$(X)",
        "[",
        "]",
        "{",
        "}",
        "#",
        "|",
        "é",
        "no",
        "1",
    ]);
    let change = (any::<prop::sample::Index>(), 0_usize..12, piece);
    (prop::sample::select(texts), prop::collection::vec(change, 0..4)).prop_map(|(text, changes)| {
        let mut text = text.to_owned();
        for (place, length, with) in changes {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let Some(first) = boundaries.get(place.index(boundaries.len().max(1))).copied() else { continue };
            let end = boundaries.iter().copied().find(|at| *at >= first + length).unwrap_or(text.len());
            text.replace_range(first..end, with);
        }
        text
    })
}

proptest! {
    #[test]
    fn any_text_is_checked_with_places_within_it(text in texts()) {
        let options = Options { config: Config::default(), lint: true, alone: false };
        let source = Source { name: "ci.yaml".to_owned(), text };
        let report = check_files(std::slice::from_ref(&source), &options);
        for finding in &report.findings {
            prop_assert!(!finding.spans.is_empty());
            for span in &finding.spans {
                prop_assert!(source.text.get(span.start..span.end).is_some(), "{finding:?}");
                let lines_before = source.text[..span.start].matches('\n').count();
                prop_assert!(span.line == lines_before + 1 || span.start == source.text.len(), "{finding:?}");
            }
        }
        render::text(&report, std::slice::from_ref(&source));
        render::github(&report, std::slice::from_ref(&source));
        render::sarif(&report, std::slice::from_ref(&source));
        let fixed = fix(&source, &report.findings);
        prop_assert_eq!(fixed.settled.is_empty(), fixed.text == source.text);
        let mended = Source { text: fixed.text, ..source.clone() };
        let after = check_files(std::slice::from_ref(&mended), &options);
        let unread = |report: &tekton_validate::Report| report.findings.iter().filter(|f| f.diagnostic.code == "yaml").count();
        prop_assert!(unread(&after) <= unread(&report), "{}\n{}", source.text, mended.text);
    }
}

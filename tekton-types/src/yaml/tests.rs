use super::*;
use serde_json::json;

fn check(yaml: &str, expected: &serde_json::Value) {
    let documents = parse(yaml).unwrap_or_else(|error| panic!("{yaml:?}: {error}"));
    assert_eq!(&documents[0].to_json(), expected, "{yaml:?}");
}

fn refused(yaml: &str) {
    assert!(parse(yaml).is_err(), "{yaml:?}");
}

#[test]
fn scalars_mean_what_yaml_1_1_says() {
    for (text, expected) in [
        ("yes", json!(true)),
        ("off", json!(false)),
        ("n", json!(false)),
        ("~", json!(null)),
        ("''", json!("")),
        ("017", json!(15)),
        ("0o17", json!(15)),
        ("0x1F", json!(31)),
        ("0b11", json!(3)),
        ("1_000", json!(1000)),
        ("1__0", json!(10)),
        ("+1", json!(1)),
        ("-5", json!(-5)),
        ("08", json!(8)),
        ("1.10", json!(1.1)),
        ("1e3", json!(1000)),
        ("1e400", json!("1e400")),
        ("12:30", json!("12:30")),
        ("2001-01-01", json!("2001-01-01")),
        ("1.2.3", json!("1.2.3")),
        ("'1'", json!("1")),
        ("!!str 1", json!("1")),
        ("!!int '1'", json!(1)),
        ("!!binary aGk=", json!("hi")),
        ("! foo", json!("foo")),
        ("<", json!("<")),
        ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
    ] {
        check(&format!("v: {text}"), &json!({ "v": expected }));
    }
}

#[test]
fn a_block_at_the_end_has_no_line_break_that_the_text_lacks() {
    for (text, expected) in [
        ("a: |\n  x", "x"),
        ("a: |\n  x\n", "x\n"),
        ("a: |\n  x\n# c", "x\n"),
        ("a: >\n  x\n  y", "x y"),
        ("a: |+\n  x", "x"),
    ] {
        check(text, &json!({ "a": expected }));
    }
}

#[test]
fn keys_become_what_json_would_have() {
    check("{on: off, 1: a, 1.5: b}", &json!({"true": false, "1": "a", "1.5": "b"}));
}

#[test]
fn merge_keys_take_the_first_source_and_explicit_keys_win() {
    check(
        "a: &a {x: 1, w: 1}\nb: &b {x: 2, z: 2}\nc:\n  <<: [*a, *b]\n  w: 3\n",
        &json!({"a": {"x": 1, "w": 1}, "b": {"x": 2, "z": 2}, "c": {"x": 1, "w": 3, "z": 2}}),
    );
}

#[test]
fn what_has_no_json_is_refused() {
    for text in [".nan", "-.inf", "*nope", "@x", "- a\n    - b", "!!int abc"] {
        refused(&format!("v: {text}"));
    }
    for text in ["{a: b", "~: 1", "{{a: b}: c}", "&a [*a]"] {
        refused(text);
    }
}

#[test]
fn the_last_of_two_equal_keys_counts_and_the_first_is_told() {
    let documents = parse("a: 1\nb: 2\na: 3\n").unwrap();
    assert_eq!(documents[0].to_json(), json!({"a": 3, "b": 2}));
    assert_eq!(documents[0].duplicates[0].to_string(), "line 3: key \"a\" already set in map");
}

#[test]
fn a_broken_document_does_not_hide_the_others() {
    let all: Vec<_> = parse_each("# first\na: 1\n---\nb: [\n---\nc: 3\n").collect();
    assert_eq!(all.len(), 3);
    assert_eq!(all[0].as_ref().unwrap().to_json(), json!({"a": 1}));
    assert!(all[1].is_err());
    let third = all[2].as_ref().unwrap();
    let span = third.at(["c"]).unwrap().span;
    assert_eq!((third.index, span.line, span.column), (2, 6, 4));
}

#[test]
fn places_are_bytes_lines_and_columns_of_the_whole_text() {
    let text = "---\nä: x\n---\nspec:\n  steps:\n  - image: busybox\n";
    let documents = parse(text).unwrap();
    let image = documents[1].at(["spec", "steps", "0", "image"]).unwrap();
    assert_eq!(&text[image.span.start..image.span.end], "busybox");
    assert_eq!((image.span.line, image.span.column), (6, 12));
}

#[test]
fn bombs_of_aliases_and_nesting_are_refused() {
    let level = |i: usize| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(", "));
    let bomb: String =
        std::iter::once("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned()).chain((1..9).map(level)).collect();
    refused(&bomb);
    refused(&format!("{}{}", "[".repeat(5000), "]".repeat(5000)));
}

#[test]
fn what_is_written_reads_back() {
    let value =
        json!({"a": "yes", "b": ["1", 1, null, true, ""], "c": {"d": "x\ny\n", "e": {}, "f": []}, "g": "- x: #"});
    let text = to_string(&value);
    check(&text, &value);
    assert!(text.contains("d: |\n    x\n    y\n"), "{text}");
}

use proptest::prelude::*;

use super::super::{build, chunks};
use super::document;

/// The quick reader gives the parser's tree, places and all, or none. How many documents it gave.
fn check(text: &str) -> usize {
    let mut read = 0;
    for (index, chunk) in chunks(text).iter().enumerate() {
        if let Some(quick) = document(index, chunk) {
            assert_eq!(build::document(index, chunk).as_ref(), Ok(&quick), "{text}");
            read += 1;
        }
    }
    read
}

#[test]
fn what_people_mostly_write_is_read_quickly() {
    let texts = [
        "# c\nkind: Task  # c\nspec:\n  steps:\n  - name: a\n    script: |\n      #!/bin/sh\n\n      echo hi\n       x\n  -   image: 'it''s'\n\n# end\n",
        "a:\n- 1\n-\n- - x\n  - y: 0x10\n    z:\n-  # c\n  k: v\nb: >-\n  folded\n  text\n\n  more\nc: |+\n\n  kept\n\nd: on\n",
        "a: {b: c, \"d\":[e, -1,\n  {}], f: ''}\nb: plain\n  goes on\n\n  and on # c\nc: \"quoted\n\n  \\\"on\\\"\\n \\\n  x\"\n",
        "---\n{\"a\": [1, 2.5, null, true], \"b\": {\n}\n}\n---\né: \"ü\" # ß\nx: [é, z]\n",
        "url: http://x:80/#a\nargs: [\"$(params.a[*])\", -c]\ncel: a == 'b'\n",
    ];
    for text in texts {
        assert_eq!(check(text), chunks(text).len(), "{text}");
    }
}

#[test]
fn what_is_out_of_the_ordinary_is_left_to_the_parser() {
    let texts = [
        "a: &x 1\nb: *x\n",
        "a: !!str 1\n",
        "? a\n: b\n",
        "a:\tb\n",
        "a: b: c\n",
        "a: 'open\n",
        "a:\n  b: 1\n c: 2\n",
        "- a\nb: c\n",
        "a: |2\n    x\n",
        "a: |\n  no break at the end",
        "<<: {a: b}\n",
        "just text\n",
        "a: [b,\nc]\n",
        "a: {{ x }}\n",
        "a: 1\n...\n",
        "a: \"\\x41\"\n",
        "a: \u{7}\n",
        "null: 1\n",
    ];
    for text in texts {
        assert_eq!(check(text), 0, "{text}");
    }
}

/// Lines of pieces that mean something to YAML, indented at random.
fn lines() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "b c",
        "key",
        ": ",
        ":",
        "- ",
        "-",
        "|",
        ">",
        "|-",
        ">+",
        "'q'",
        "'",
        "\"d\"",
        "\"",
        "\\n",
        "#",
        " # c",
        "[",
        "]",
        "{",
        "}",
        ", ",
        ",",
        "1",
        "0x1f",
        "yes",
        "~",
        "null",
        "é",
        "&x",
        "*x",
        "!t",
        "? ",
        "  ",
        "\t",
        "<<",
        "$(params.x)",
        "http://h:1/p",
        "%",
        "@",
        "---",
        "...",
        "a: b",
        "- a: 1",
        "key:",
        "k: |",
        "k: >-",
        "k: [x]",
        "k: {a: b}",
        "\"k\": 'v'",
        "- - 1",
        "# comment",
        "",
    ]);
    let line = (0_usize..5, prop::collection::vec(piece, 0..4))
        .prop_map(|(indent, pieces)| format!("{}{}", "  ".repeat(indent), pieces.concat()));
    let odd = (0_usize..7, "[ -~]{0,12}").prop_map(|(indent, text)| format!("{}{text}", " ".repeat(indent)));
    prop::collection::vec(prop_oneof![8 => line, 1 => odd], 1..10).prop_map(|lines| lines.join("\n") + "\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]
    #[test]
    fn the_quick_reader_and_the_parser_see_the_same_tree(text in lines()) {
        check(&text);
    }
}

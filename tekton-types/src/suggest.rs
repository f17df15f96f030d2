//! The name that was perhaps meant by one that is none.

/// The known name nearest to another one, when at most a third of its letters differ and it is not the same.
///
/// ```
/// use tekton_types::suggest::nearest;
/// assert_eq!(nearest("imgae", ["image", "params"]), Some("image"));
/// assert_eq!(nearest("resources", ["image", "params"]), None);
/// ```
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (name.len() / 3).max(1);
    known
        .into_iter()
        .filter(|candidate| *candidate != name && candidate.len().abs_diff(name.len()) <= limit)
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters must be put in, taken out, changed or swapped with their neighbour; case does not count.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<u8> = a.bytes().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<u8> = b.bytes().map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_foreign_word_is_not() {
        let known = ["taskRef", "taskSpec", "image", "params"];
        for (name, expected) in [
            ("taskref", Some("taskRef")),
            ("imgae", Some("image")),
            ("param", Some("params")),
            ("image", None),
            ("resources", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }

    #[test]
    fn distances_count_changes() {
        for (a, b, expected) in [("url", "urls", 1), ("image", "imgae", 1), ("", "ab", 2), ("same", "Same", 0)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }
}

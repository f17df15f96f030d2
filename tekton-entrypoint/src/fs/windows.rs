//! Paths as Go's `path/filepath` takes them apart on Windows.

use tekton_contract::paths;

/// The volume that a path begins with, and the rest: `C:` or `\\server\share`.
fn split(path: &str) -> (&str, &str) {
    let is_separator = |c: char| c == '/' || c == '\\';
    let bytes = path.as_bytes();
    if bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
        return path.split_at(2);
    }
    let mut separators = path.char_indices().filter(|(_, c)| is_separator(*c)).map(|(at, _)| at);
    if path.starts_with(is_separator) && path[1..].starts_with(is_separator) {
        // Behind the server's name, and behind that of what it shares.
        let end = separators.nth(3).unwrap_or(path.len());
        return path.split_at(end);
    }
    ("", path)
}

/// The shortest path that means the same, by its text.
pub(crate) fn clean(path: &str) -> String {
    let (volume, rest) = split(path);
    if rest.is_empty() && volume.len() > 2 {
        return volume.replace('/', "\\");
    }
    (volume.to_owned() + &paths::clean(&rest.replace('\\', "/"))).replace('/', "\\")
}

/// The directory of a path; `.` when it has none.
pub(crate) fn dir(path: &str) -> String {
    let (volume, rest) = split(path);
    let end = rest.rfind(['/', '\\']).map_or(0, |at| at + 1);
    clean(&path[..volume.len() + end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_become_those_of_windows_and_volumes_stay() {
        for (path, cleaned) in [
            ("/tekton/run/0/../1", r"\tekton\run\1"),
            (r"C:\a\.\b/", r"C:\a\b"),
            ("C:", "C:."),
            ("C:/", r"C:\"),
            ("a//b", r"a\b"),
            ("", "."),
            (r"\\server\share\a\..", r"\\server\share\"),
            ("//server/share", r"\\server\share"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }

    #[test]
    fn the_directory_of_a_path_keeps_its_volume() {
        for (path, directory) in
            [("/tekton/run/0/out", r"\tekton\run\0"), (r"C:\a", r"C:\"), ("C:a", "C:."), ("a", ".")]
        {
            assert_eq!(dir(path), directory, "{path}");
        }
    }
}

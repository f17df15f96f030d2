//! What widely used public images run when a container names no command, as their own documentation has it.

use super::known::Userland::{self, Busybox, Gnu};

/// One image: repository, front program, default arguments, userland.
pub(super) type Row = (&'static str, &'static [&'static str], &'static [&'static str], Userland);

/// Entrypoints that are scripts of the image: they run their arguments, or put a program before them that starts with a
/// dash or is no program. Here a line of shell does the same.
macro_rules! front {
    ($program:literal) => {
        &[
            "sh",
            "-c",
            concat!(
                "case \"${1-}\" in ''|-*) exec ",
                $program,
                " \"$@\";; esac; command -v -- \"$1\" >/dev/null || exec ",
                $program,
                " \"$@\"; exec \"$@\""
            ),
            $program,
        ]
    };
}

/// The table, by repository without registry and without Docker Hub's `library/`.
pub(super) const TABLE: &[Row] = &[
    ("alpine", &[], &["/bin/sh"], Busybox),
    ("alpine/git", &["git"], &["--help"], Busybox),
    ("bash", front!("bash"), &["bash"], Busybox),
    ("busybox", &[], &["sh"], Busybox),
    ("chainguard/busybox", &[], &["/bin/sh", "-l"], Busybox),
    ("centos", &[], &["/bin/bash"], Gnu),
    ("curlimages/curl", front!("curl"), &["curl"], Busybox),
    ("debian", &[], &["bash"], Gnu),
    ("docker", front!("docker"), &["sh"], Busybox),
    ("fedora", &[], &["/bin/bash"], Gnu),
    ("go-containerregistry/crane", &["crane"], &[], Gnu),
    ("golang", &[], &["bash"], Gnu),
    ("mikefarah/yq", &["yq"], &[], Busybox),
    ("node", front!("node"), &["node"], Gnu),
    ("perl", &[], &["perl", "-de0"], Gnu),
    ("python", &[], &["python3"], Gnu),
    ("ruby", &[], &["irb"], Gnu),
    ("rust", &[], &["bash"], Gnu),
    ("ubi8/ubi", &[], &["/bin/bash"], Gnu),
    ("ubi9/ubi", &[], &["/bin/bash"], Gnu),
    ("ubuntu", &[], &["/bin/bash"], Gnu),
];

//! The programs of Tekton's own images, from the one that is embedded here.

use crate::images::PROGRAMS as NAMES;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(crate) static ENTRYPOINT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/entrypoint.bin"));

/// Writes the programs to a directory, each file whole or not at all.
pub(super) fn install(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    let first = dir.join(NAMES[0]);
    if std::fs::metadata(&first).is_ok_and(|m| m.len() == ENTRYPOINT.len() as u64)
        && std::fs::read(&first).is_ok_and(|old| old == ENTRYPOINT)
    {
        return Ok(());
    }
    for name in NAMES {
        let temporary = dir.join(format!(".{name}"));
        drop(std::fs::remove_file(&temporary));
        if *name == NAMES[0] {
            std::fs::write(&temporary, ENTRYPOINT)?;
            std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o755))?;
        } else {
            std::fs::hard_link(&first, &temporary)?;
        }
        std::fs::rename(&temporary, dir.join(name))?;
    }
    Ok(())
}

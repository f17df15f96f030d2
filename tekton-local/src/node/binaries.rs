//! The programs of Tekton's own images, from the one that is embedded here.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

static ENTRYPOINT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/entrypoint.bin"));

/// The names under which it is called in `/ko-app`.
const NAMES: &[&str] = &["entrypoint", "nop", "workingdirinit", "sidecarlogresults"];

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

/// The program that an image of Tekton runs when a container names none: `…/nop-0d43…:v1` runs `/ko-app/nop`.
pub(super) fn of_image(image: &str) -> Option<String> {
    let last = image.rsplit('/').next().unwrap_or(image);
    let end = last.find([':', '@']).unwrap_or(last.len());
    let name = &last[..end];
    NAMES
        .iter()
        .find(|known| name == **known || name.strip_prefix(**known).is_some_and(|r| r.starts_with('-')))
        .map(|known| format!("/ko-app/{known}"))
}

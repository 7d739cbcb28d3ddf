//! The programs of Debian that these tests need.

use std::path::PathBuf;

use anyhow::Context as _;

/// Where a program is. System folders are searched too: they are not in the
/// search path of every user.
pub(crate) fn installed(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
        .with_context(|| {
            format!(
                "no program `{name}`; hint: \
                 apt-get install freeradius freeradius-rest freeradius-utils eapoltest"
            )
        })
}

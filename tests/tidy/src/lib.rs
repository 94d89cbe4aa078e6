//! House rules as tests: this library reads the tree, the tests beside it judge it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The top of the checkout.
pub fn top() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/tidy is two folders below the top").to_path_buf()
}

/// Every file below the top whose name ends in `ending`, without build output, fuzz targets and hidden folders.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![top()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && name != "target" && name != "fuzz" {
                    folders.push(path);
                }
            } else if name.ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// A path as people write it, from the top of the checkout.
pub fn shown(path: &Path) -> String {
    path.strip_prefix(top()).unwrap_or(path).display().to_string()
}

/// One crate of the workspace: its name and the crates of ours that it imports outside tests.
#[derive(Debug)]
pub struct Room {
    /// The crate's name.
    pub name: String,
    /// Its folder, from the top.
    pub folder: String,
    /// Names of our crates among its `[dependencies]`.
    pub imports: Vec<String>,
}

/// Every crate of the workspace.
///
/// # Errors
/// When a manifest cannot be read or is not TOML.
pub fn rooms() -> Result<Vec<Room>> {
    let mut rooms = Vec::new();
    for path in files("Cargo.toml")? {
        let text = fs::read_to_string(&path)?;
        let manifest: toml::Table = text.parse().with_context(|| shown(&path))?;
        let Some(package) = manifest.get("package").and_then(|p| p.as_table()) else { continue };
        let name = package.get("name").and_then(|n| n.as_str()).unwrap_or_default().to_owned();
        let imports = manifest.get("dependencies").and_then(|d| d.as_table());
        let imports = imports
            .map(|d| d.keys().filter(|k| k.starts_with("weft-")).cloned().collect())
            .unwrap_or_default();
        let folder = shown(path.parent().unwrap_or(&path));
        rooms.push(Room { name, folder, imports });
    }
    Ok(rooms)
}

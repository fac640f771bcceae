//! The workspace on disk: its packages and its text files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::manifest::Manifest;
use crate::step::Failure;

/// The workspace that this tool was built in.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root manifest.
    pub(crate) root: PathBuf,
    /// The packages, by folder.
    pub(crate) packages: Vec<Package>,
}

/// One package of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    /// Its folder, from the root.
    pub(crate) dir: PathBuf,
    /// What its manifest says.
    pub(crate) manifest: Manifest,
}

/// A file of the workspace that is text.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Where it is, from the root.
    pub(crate) path: PathBuf,
    /// What it holds.
    pub(crate) text: String,
}

impl Workspace {
    /// Finds the workspace and reads its manifests.
    ///
    /// # Errors
    ///
    /// [`Failure::File`] where a folder or a manifest cannot be read.
    pub(crate) fn open() -> Result<Self, Failure> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = root
            .parent()
            .expect("the tool's folder is a folder of the workspace");
        let mut packages = Vec::new();
        let mut dirs = folders(&root.join("crates"))?;
        dirs.extend(["benches", "tests", "xtask"].map(|name| root.join(name)));
        for dir in dirs {
            let path = dir.join("Cargo.toml");
            let text = fs::read_to_string(&path).map_err(|error| Failure::file(&path, error))?;
            let dir = from_root(root, &dir);
            packages.push(Package {
                dir,
                manifest: Manifest::parse(&text),
            });
        }
        Ok(Self {
            root: root.to_owned(),
            packages,
        })
    }

    /// The packages that others may depend on: those under `crates/`.
    pub(crate) fn libraries(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.is_library())
    }

    /// The text files, by path: sources, manifests, pages and scripts, not what was built from them.
    ///
    /// # Errors
    ///
    /// [`Failure::File`] where a folder or a file cannot be read.
    pub(crate) fn text_files(&self) -> Result<Vec<TextFile>, Failure> {
        let mut files = Vec::new();
        self.collect(&self.root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// Reads a file named from the root; one that does not exist is empty.
    ///
    /// # Errors
    ///
    /// [`Failure::File`] where it exists and cannot be read.
    pub(crate) fn read(&self, path: &str) -> Result<String, Failure> {
        let path = self.root.join(path);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            other => other.map_err(|error| Failure::file(&path, error)),
        }
    }

    /// Writes a file named from the root, and the folders above it.
    ///
    /// # Errors
    ///
    /// [`Failure::File`] where it cannot be written.
    pub(crate) fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        let path = self.root.join(path);
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, text))
            .map_err(|error| Failure::file(&path, error))
    }

    fn collect(&self, folder: &Path, files: &mut Vec<TextFile>) -> Result<(), Failure> {
        let fail = |error| Failure::file(folder, error);
        for entry in fs::read_dir(folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let kind = entry.file_type().map_err(fail)?;
            let path = entry.path();
            let relative = from_root(&self.root, &path);
            if kind.is_dir() && !is_foreign(&relative) {
                self.collect(&path, files)?;
            } else if kind.is_file() && is_text(&relative) {
                let text = fs::read_to_string(&path).map_err(|e| Failure::file(&path, e))?;
                files.push(TextFile {
                    path: relative,
                    text,
                });
            }
        }
        Ok(())
    }
}

impl Package {
    /// Whether others may depend on it.
    pub(crate) fn is_library(&self) -> bool {
        self.dir.starts_with("crates")
    }
}

impl TextFile {
    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path
            .extension()
            .is_some_and(|extension| extension == "rs")
    }
}

/// Folders that hold nothing written by hand.
fn is_foreign(folder: &Path) -> bool {
    folder == Path::new("target") || folder == Path::new(".git")
}

fn is_text(path: &Path) -> bool {
    let known = ["css", "html", "js", "md", "rs", "toml"];
    let extension = path.extension().and_then(|extension| extension.to_str());
    path.starts_with(".ci") || extension.is_some_and(|extension| known.contains(&extension))
}

fn from_root(root: &Path, path: &Path) -> PathBuf {
    path.strip_prefix(root)
        .expect("the walk starts at the root")
        .to_owned()
}

fn folders(parent: &Path) -> Result<Vec<PathBuf>, Failure> {
    let fail = |error| Failure::file(parent, error);
    let mut found = Vec::new();
    for entry in fs::read_dir(parent).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_of_this_workspace_are_found() {
        let workspace = Workspace::open().unwrap();
        let name = |package: &Package| package.manifest.name.clone();
        let libraries: Vec<_> = workspace.libraries().map(name).collect();
        assert!(
            libraries.iter().any(|name| name == "evloop-timers"),
            "{libraries:?}"
        );
        assert!(
            !libraries.iter().any(|name| name == "xtask"),
            "{libraries:?}"
        );
        assert_eq!(workspace.packages.len(), libraries.len() + 3);
    }

    #[test]
    fn text_files_are_sources_pages_and_scripts() {
        for text in ["xtask/src/main.rs", "README.md", "deny.toml", ".ci/run"] {
            assert!(is_text(Path::new(text)), "{text}");
        }
        for other in ["docs/live.png", "Cargo.lock", "LICENSE-MIT"] {
            assert!(!is_text(Path::new(other)), "{other}");
        }
        assert!(is_foreign(Path::new("target")));
        assert!(!is_foreign(Path::new("crates/target")));
    }
}

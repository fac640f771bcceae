//! The few facts of a `Cargo.toml` that the steps need, read without a TOML library.
//!
//! Only the plain layout is understood that the manifests of this workspace keep: a table per
//! header, a key per line.

/// What a package says about itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The name of the package.
    pub(crate) name: String,
    /// Whether it takes its lints from the workspace.
    pub(crate) inherits_lints: bool,
    /// The features that are on unless turned off.
    pub(crate) default_features: bool,
    /// All features but `default`, in the order of the file.
    pub(crate) features: Vec<String>,
}

impl Manifest {
    /// Reads the text of a manifest.
    pub(crate) fn parse(text: &str) -> Self {
        let mut manifest = Self::default();
        let mut table = "";
        for line in text.lines().map(str::trim) {
            if let Some(header) = line.strip_prefix('[') {
                table = header.trim_end_matches(']');
                continue;
            }
            let Some((key, value)) = line.split_once('=') else {
                continue;
            };
            if !line.starts_with('#') {
                manifest.take(table, key.trim(), value.trim());
            }
        }
        manifest
    }

    fn take(&mut self, table: &str, key: &str, value: &str) {
        match (table, key) {
            ("package", "name") => value.trim_matches('"').clone_into(&mut self.name),
            ("lints", "workspace") => self.inherits_lints = value == "true",
            ("features", "default") => self.default_features = value != "[]",
            ("features", _) => self.features.push(key.to_owned()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_are_found_in_their_tables() {
        let text = "\
[package]
name = \"one\"
[features]
default = [\"std\"]
# off = []
std = []
proptest = [\"dep:proptest\"]
[dependencies]
name = { path = \"name\" }
[lints]
workspace = true
";
        let expected = Manifest {
            name: "one".to_owned(),
            inherits_lints: true,
            default_features: true,
            features: vec!["std".to_owned(), "proptest".to_owned()],
        };
        assert_eq!(Manifest::parse(text), expected);
    }

    #[test]
    fn what_is_not_said_is_off() {
        let manifest = Manifest::parse("[package]\nname = \"two\"\n[features]\ndefault = []\n");
        assert_eq!(
            manifest,
            Manifest {
                name: "two".to_owned(),
                ..Manifest::default()
            }
        );
    }
}

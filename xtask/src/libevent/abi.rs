//! The two committed lists: what is exported, and how things are laid out.

use crate::step::Failure;
use crate::workspace::Workspace;

/// A name that the library exports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// The name.
    pub(super) name: String,
    /// The size of a data object; none for a function.
    pub(super) bytes: Option<u64>,
}

/// Where the lists are, from the root of the workspace.
const FOLDER: &str = "crates/libevent/abi";

/// The exported names.
///
/// # Errors
///
/// A line that is not understood, or a list that is empty.
pub(super) fn symbols(workspace: &Workspace) -> Result<Vec<Symbol>, Failure> {
    rows(workspace, "symbols.txt")?
        .iter()
        .map(|row| symbol(row).ok_or_else(|| Failure::Findings(format!("symbols.txt: {row:?}"))))
        .collect()
}

/// The rows of `layout.txt`, as they are written.
///
/// # Errors
///
/// A list that is empty or cannot be read.
pub(super) fn layout(workspace: &Workspace) -> Result<Vec<String>, Failure> {
    rows(workspace, "layout.txt")
}

fn rows(workspace: &Workspace, file: &str) -> Result<Vec<String>, Failure> {
    let text = workspace.read(&format!("{FOLDER}/{file}"))?;
    let rows: Vec<String> = without_comments(&text).map(str::to_owned).collect();
    if rows.is_empty() {
        return Err(Failure::Findings(format!("{FOLDER}/{file} lists nothing")));
    }
    Ok(rows)
}

fn without_comments(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn symbol(row: &str) -> Option<Symbol> {
    match row.split(' ').collect::<Vec<_>>()[..] {
        ["public" | "internal", name] => Some(Symbol {
            name: name.to_owned(),
            bytes: None,
        }),
        ["data", bytes, name] => Some(Symbol {
            name: name.to_owned(),
            bytes: Some(bytes.parse().ok()?),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_a_function_or_an_object_with_its_size() {
        let bytes = |row| symbol(row).map(|symbol| symbol.bytes);
        assert_eq!(bytes("public event_add"), Some(None));
        assert_eq!(bytes("data 8 event_global_current_base_"), Some(Some(8)));
        assert_eq!(bytes("data event_global_current_base_"), None);
        assert_eq!(bytes("event_add"), None);
    }

    #[test]
    fn the_lists_of_this_workspace_are_read() {
        let workspace = Workspace::open().unwrap();
        let symbols = symbols(&workspace).unwrap();
        assert!(
            symbols
                .iter()
                .any(|symbol| symbol.name == "event_base_loop")
        );
        let rows = layout(&workspace).unwrap();
        assert!(rows.iter().any(|row| row == "size struct event 128 8"));
    }
}

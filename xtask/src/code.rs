//! Rust source with everything blanked that only looks like code.
//!
//! The rules search for words, and a word in a comment or in a string is not code. What is taken
//! out becomes spaces, so that lines and columns stay what they were.

/// `source` without comments, strings and character literals.
pub(crate) fn code_only(source: &str) -> String {
    let mut code = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(next) = rest.chars().next() {
        let in_word = code.ends_with(is_word);
        match opaque_length(rest, in_word) {
            Some(length) => {
                blank(&rest[..length], &mut code);
                rest = &rest[length..];
            }
            None => {
                code.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
    }
    code
}

/// `code` (see [`code_only`]) without the items that are compiled for tests alone.
pub(crate) fn without_tests(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = first_of(rest, &["#[cfg(test)]", "#[cfg(all(test"]) {
        kept.push_str(&rest[..start]);
        let item = &rest[start..];
        let length = item_length(item);
        blank(&item[..length], &mut kept);
        rest = &item[length..];
    }
    kept + rest
}

/// Where `word` stands in `code` as a word of its own: the byte offset of each place.
pub(crate) fn find_word<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let (before, after) = (&code[..at], &code[at + word.len()..]);
            !before.ends_with(is_word) && !after.starts_with(is_word)
        })
}

/// The number of the line, from 1, that the byte at `offset` is in.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text[..offset].matches('\n').count() + 1
}

/// The length of the comment or literal that `rest` begins with, if it begins with one.
fn opaque_length(rest: &str, in_word: bool) -> Option<usize> {
    let to_end = rest.len();
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(to_end));
    }
    if rest.starts_with("/*") {
        return Some(block_comment_length(rest));
    }
    if let Some(body) = rest.strip_prefix('"') {
        return Some(1 + quoted_length(body, '"'));
    }
    if !in_word && let Some(length) = raw_string_length(rest) {
        return Some(length);
    }
    let body = rest.strip_prefix('\'')?;
    let mut inside = body.chars();
    let first = inside.next()?;
    // A lifetime has no closing quote after its first letter.
    let is_char = first == '\\' || inside.next() == Some('\'');
    is_char.then(|| 1 + quoted_length(body, '\''))
}

/// The length of `body` up to and with the closing `quote`.
fn quoted_length(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in body.char_indices() {
        if !escaped && character == quote {
            return at + quote.len_utf8();
        }
        escaped = !escaped && character == '\\';
    }
    body.len()
}

/// The length of a raw string with its prefix: `r"…"`, `br#"…"#`, `cr"…"`.
fn raw_string_length(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        let after = rest.strip_prefix(prefix).unwrap_or_default();
        after.trim_start_matches('#').starts_with('"')
    })?;
    let after = &rest[prefix.len()..];
    let hashes = after.len() - after.trim_start_matches('#').len();
    let opening = prefix.len() + hashes + 1;
    let closing = format!("\"{}", "#".repeat(hashes));
    let body = &rest[opening..];
    Some(
        body.find(&closing)
            .map_or(rest.len(), |at| opening + at + closing.len()),
    )
}

/// The length of a block comment; they nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(found) = first_of(&rest[at..], &["/*", "*/"]) {
        at += found;
        depth = if rest[at..].starts_with("/*") {
            depth + 1
        } else {
            depth.saturating_sub(1)
        };
        at += 2;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// The length of the item that `code` begins with, attributes included: up to its closing brace,
/// or its semicolon.
fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, character) in code.char_indices() {
        match character {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && (character == '}' || character == ';') {
            return at + 1;
        }
    }
    code.len()
}

fn first_of(text: &str, patterns: &[&str]) -> Option<usize> {
    patterns
        .iter()
        .filter_map(|pattern| text.find(pattern))
        .min()
}

fn blank(text: &str, code: &mut String) {
    code.extend(
        text.chars()
            .map(|character| if character == '\n' { '\n' } else { ' ' }),
    );
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<String> {
        let code = code_only(source);
        code.split(|c: char| !is_word(c))
            .filter(|w| !w.is_empty())
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn comments_are_not_code() {
        assert_eq!(
            words("a // b\nc /* d /* e */ f */ g /// h\n//! i"),
            ["a", "c", "g"]
        );
        assert_eq!(words("a /* never closed"), ["a"]);
    }

    #[test]
    fn strings_are_not_code() {
        assert_eq!(words(r#"a("b \" c", d) b"e" f"#), ["a", "d", "b", "f"]);
        assert_eq!(
            words("a r\"b\\\" c r#\"d \" e\"# f br##\"g\"# h\"## i"),
            ["a", "c", "f", "i"]
        );
        assert_eq!(words("for\"a\" r#type"), ["for", "r", "type"]);
    }

    #[test]
    fn characters_are_not_code_and_lifetimes_are() {
        assert_eq!(
            words(r"a('b', '\'', '\u{63}', b'd') 'e f"),
            ["a", "b", "e", "f"]
        );
        assert_eq!(
            words("fn f<'a>(x: &'a str, y: char) { y == 'a' }")
                .last()
                .unwrap(),
            "y"
        );
        assert_eq!(words("a('\"') b \"c\""), ["a", "b"]);
    }

    #[test]
    fn lines_stay_where_they_were() {
        let source = "/* a\nb */ \"c\nd\" é\nlast";
        let code = code_only(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(line_of(&code, code.find("last").unwrap()), 4);
    }

    #[test]
    fn items_for_tests_go_and_the_others_stay() {
        let code = "a; #[cfg(test)] #[path = x] mod t { b { c } } d; #[cfg(test)] mod e; f \
                    #[cfg(test)] const G: [u8; 2] = [1, 2]; h #[cfg(all(test, not(loom)))] fn i() {} j";
        let kept = without_tests(code);
        assert_eq!(
            kept.split_whitespace().collect::<Vec<_>>(),
            ["a;", "d;", "f", "h", "j"]
        );
        assert_eq!(kept.len(), code.len());
    }

    #[test]
    fn a_word_is_found_only_as_a_word() {
        let found: Vec<_> = find_word("std::x no_std stdx (std)", "std").collect();
        assert_eq!(found, [0, 20]);
    }
}

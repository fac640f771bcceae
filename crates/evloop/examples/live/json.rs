//! JSON, written: objects, arrays, whole numbers and text are all that is needed here.

use std::fmt::{self, Display, Write};

/// Writes an object to the end of `out`; `members` says what is in it.
pub(crate) fn object(out: &mut String, members: impl FnOnce(&mut Object<'_>)) {
    out.push('{');
    members(&mut Object {
        out,
        is_empty: true,
    });
    out.push('}');
}

/// An object that is being written.
pub(crate) struct Object<'a> {
    out: &'a mut String,
    is_empty: bool,
}

impl Object<'_> {
    pub(crate) fn number(&mut self, name: &str, value: impl Into<u64>) {
        let out = self.member(name);
        append(out, value.into());
    }

    pub(crate) fn count(&mut self, name: &str, value: usize) {
        let out = self.member(name);
        append(out, value);
    }

    /// `null` if there is none.
    pub(crate) fn optional(&mut self, name: &str, value: Option<u64>) {
        let out = self.member(name);
        match value {
            Some(value) => append(out, value),
            None => out.push_str("null"),
        }
    }

    pub(crate) fn text(&mut self, name: &str, value: &str) {
        let out = self.member(name);
        append(out, Quoted(value));
    }

    pub(crate) fn object(&mut self, name: &str, members: impl FnOnce(&mut Object<'_>)) {
        object(self.member(name), members);
    }

    /// An array of objects.
    pub(crate) fn objects<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut members: impl FnMut(&mut Object<'_>, T),
    ) {
        self.array(name, items, |out, item| object(out, |o| members(o, item)));
    }

    /// An array of numbers.
    pub(crate) fn numbers(&mut self, name: &str, items: impl IntoIterator<Item = u64>) {
        self.array(name, items, append);
    }

    fn array<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut String, T),
    ) {
        let out = self.member(name);
        out.push('[');
        for (position, item) in items.into_iter().enumerate() {
            if position > 0 {
                out.push(',');
            }
            write(out, item);
        }
        out.push(']');
    }

    fn member(&mut self, name: &str) -> &mut String {
        if !self.is_empty {
            self.out.push(',');
        }
        self.is_empty = false;
        append(self.out, Quoted(name));
        self.out.push(':');
        self.out
    }
}

/// A string as RFC 8259, section 7 has it.
struct Quoted<'a>(&'a str);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                '\0'..='\x1f' => write!(f, "\\u{:04x}", u32::from(character))?,
                _ => f.write_char(character)?,
            }
        }
        f.write_char('"')
    }
}

fn append(out: &mut String, value: impl Display) {
    write!(out, "{value}").expect("a string takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(members: impl FnOnce(&mut Object<'_>)) -> String {
        let mut out = String::new();
        object(&mut out, members);
        out
    }

    #[test]
    fn members_are_separated() {
        assert_eq!(written(|_| {}), "{}");
        let text = written(|o| {
            o.number("a", 1_u8);
            o.count("b", 2);
            o.optional("c", None);
            o.optional("d", Some(4));
        });
        assert_eq!(text, r#"{"a":1,"b":2,"c":null,"d":4}"#);
    }

    #[test]
    fn objects_and_arrays_nest() {
        let text = written(|o| {
            o.object("o", |o| o.object("p", |_| {}));
            o.numbers("n", [3, 2, 1]);
            o.numbers("none", []);
            o.objects("list", ["x", "y"], |o, item| o.text("is", item));
        });
        let expected = r#"{"o":{"p":{}},"n":[3,2,1],"none":[],"list":[{"is":"x"},{"is":"y"}]}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn text_is_escaped() {
        let text = written(|o| o.text("a\"b", "\\ \" \n \u{1f} \u{7f} é 😀 </script>"));
        let expected = r#"{"a\"b":"\\ \" \u000a \u001f "#.to_owned() + "\u{7f} é 😀 </script>\"}";
        assert_eq!(text, expected);
    }
}

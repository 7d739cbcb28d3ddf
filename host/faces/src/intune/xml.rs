//! Writing XML: names are ours, values are anybody's.

/// An XML text as it is written. The writer is responsible for its form.
#[derive(Debug, Default)]
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    /// Something that is XML already.
    pub(super) fn raw(&mut self, literal: &str) -> &mut Self {
        self.0.push_str(literal);
        self
    }

    /// An element with what `write` writes inside.
    pub(super) fn element(&mut self, name: &str, write: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.extend(["<", name, ">"]);
        write(self);
        self.0.extend(["</", name, ">"]);
        self
    }

    /// An element with text; an empty one is closed at once.
    pub(super) fn text(&mut self, name: &str, text: &str) -> &mut Self {
        if text.is_empty() {
            self.0.extend(["<", name, "/>"]);
            return self;
        }
        self.element(name, |xml| xml.escaped(text))
    }

    /// An element with `true` or `false`.
    pub(super) fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.text(name, if value { "true" } else { "false" })
    }

    /// Characters that XML 1.0 has no place for (section 2.2) become spaces.
    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push(' '),
                other => self.0.push(other),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let mut xml = Xml::default();
        xml.element("a", |xml| {
            xml.text("b", "<&>\"\u{1}\n'ä")
                .text("c", "")
                .flag("d", true);
        });
        assert_eq!(
            xml.into_text(),
            "<a><b>&lt;&amp;&gt;&quot;  'ä</b><c/><d>true</d></a>"
        );
    }
}

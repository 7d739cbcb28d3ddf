//! Writing XML, for what ISE reads.

/// An `<ise_api>` document as it is written. Element names are literals that
/// need no escape; the writer is responsible for closing what it opens.
#[derive(Debug)]
pub(super) struct Xml(String);

impl Xml {
    /// A document about `name`.
    pub(super) fn new(name: &str) -> Self {
        let mut xml = Self(String::with_capacity(1024));
        xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ise_api>");
        xml.element("name", name);
        xml
    }

    /// Elements that will stand in a document.
    pub(super) const fn fragment() -> Self {
        Self(String::new())
    }

    /// What is written so far.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole document.
    pub(super) fn finish(mut self) -> String {
        self.raw("</ise_api>\n");
        self.0
    }

    /// Something that is XML already, in parts perhaps.
    pub(super) fn raw(&mut self, literal: &str) -> &mut Self {
        self.0.push_str(literal);
        self
    }

    /// An element with text.
    pub(super) fn element(&mut self, name: &str, text: &str) -> &mut Self {
        self.raw("<").raw(name).raw(">");
        self.text(text);
        self.raw("</").raw(name).raw(">")
    }

    /// An element with text, if there is one.
    pub(super) fn optional(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            self.element(name, text);
        }
        self
    }

    pub(super) fn boolean(&mut self, name: &str, value: bool) -> &mut Self {
        self.element(name, if value { "true" } else { "false" })
    }

    pub(super) fn number(&mut self, name: &str, number: u64) -> &mut Self {
        self.element(name, &number.to_string())
    }

    /// Text between tags. What no XML document may hold (XML 1.0, section 2.2)
    /// becomes a space.
    fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '\u{fffe}' | '\u{ffff}' => self.0.push(' '),
                _ if character.is_control() => self.0.push(' '),
                _ => self.0.push(character),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    #[test]
    fn documents() {
        let mut xml = Xml::new("x");
        xml.boolean("a", true)
            .number("b", 7)
            .element("c", "1 < 2 & \"so\"\u{0}");
        xml.optional("d", None).optional("e", Some("]]>"));
        let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ise_api><name>x</name><a>true</a>\
            <b>7</b><c>1 &lt; 2 &amp; \"so\" </c><e>]]&gt;</e></ise_api>\n";
        assert_eq!(xml.finish(), expected);
    }

    proptest! {
        #[test]
        fn whatever_the_text_is_it_comes_back(text in any::<String>()) {
            let mut xml = Xml::new("x");
            xml.element("t", &text);
            let document = xml.finish();
            let mut reader = Reader::from_str(&document);
            let mut read = String::new();
            let mut inside = false;
            loop {
                match reader.read_event().unwrap() {
                    Event::Start(start) => inside = &*start == "t",
                    Event::End(_) => inside = false,
                    Event::Text(text) if inside => read.push_str(&text.xml10_content()),
                    Event::GeneralRef(entity) if inside => read.push_str(match &*entity {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        other => panic!("{other}"),
                    }),
                    Event::Eof => break,
                    _ => {}
                }
            }
            let plain = |text: &str| -> String {
                let noncharacter = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
                text.chars().map(|c| if noncharacter(c) { ' ' } else { c }).collect()
            };
            prop_assert_eq!(read, plain(&text));
        }
    }
}

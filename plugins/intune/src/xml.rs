//! Reading foreign XML into a small tree, within bounds.
//!
//! Names are kept as lower-case local names: Intune's two services spell them
//! differently and put one of them into a namespace. A document type is refused
//! together with every entity that is not one of XML's own five, so nothing in
//! an answer can be expanded.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// Largest document, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting.
pub(crate) const MAX_DEPTH: usize = 16;
/// Most elements.
pub(crate) const MAX_ELEMENTS: usize = 20_000;

/// An element with what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    /// Local name in lower case.
    pub(crate) name: String,
    /// Its own text, trimmed.
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

/// Why a document was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Problem {
    #[error("it is no UTF-8 text")]
    Encoding,
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("it is nested deeper than {MAX_DEPTH} elements")]
    TooDeep,
    #[error("it has more than {MAX_ELEMENTS} elements")]
    TooMany,
    #[error("it has a document type, which is refused")]
    DocumentType,
    #[error("it uses the entity `{0}`, which is refused")]
    Entity(String),
    #[error("it is no XML: {0}")]
    Syntax(String),
}

impl Element {
    /// First child of this name.
    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// Text of the first child of this name that has any.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .find(|child| child.name == name && !child.text.is_empty())
            .map(|child| child.text.as_str())
    }
}

/// Reads a whole document.
pub(crate) fn read(document: &[u8]) -> Result<Element, Problem> {
    if document.len() > MAX_BYTES {
        return Err(Problem::TooLarge);
    }
    let text = std::str::from_utf8(document).map_err(|_| Problem::Encoding)?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    // The element at the bottom stands for the document.
    let mut open = vec![Element::default()];
    let mut elements = 0_usize;
    loop {
        match reader.read_event().map_err(|error| syntax(&error))? {
            Event::Start(tag) => {
                count(&mut elements)?;
                if open.len() > MAX_DEPTH {
                    return Err(Problem::TooDeep);
                }
                open.push(element(&tag));
            }
            Event::Empty(tag) => {
                count(&mut elements)?;
                append(&mut open, element(&tag));
            }
            Event::End(_) => {
                // The reader has checked that the names of both ends agree.
                if let Some(done) = open.pop() {
                    append(&mut open, trimmed(done));
                }
            }
            Event::Text(content) => push_text(&mut open, &content.xml10_content()),
            Event::CData(content) => push_text(&mut open, &content.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = resolve(&reference)?;
                push_text(&mut open, character.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(Problem::DocumentType),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    let (Some(document), true) = (open.pop(), open.is_empty()) else {
        return Err(Problem::Syntax("an element is not closed".to_owned()));
    };
    if !document.text.trim().is_empty() {
        return Err(Problem::Syntax(
            "there is text outside of any element".to_owned(),
        ));
    }
    let mut roots = document.children.into_iter();
    match (roots.next(), roots.next()) {
        (Some(root), None) => Ok(root),
        (None, _) => Err(Problem::Syntax("there is no element".to_owned())),
        (Some(_), Some(_)) => Err(Problem::Syntax("there are several roots".to_owned())),
    }
}

fn count(elements: &mut usize) -> Result<(), Problem> {
    *elements += 1;
    if *elements > MAX_ELEMENTS {
        return Err(Problem::TooMany);
    }
    Ok(())
}

fn element(tag: &BytesStart<'_>) -> Element {
    Element {
        name: tag.local_name().as_ref().to_ascii_lowercase(),
        ..Element::default()
    }
}

fn trimmed(element: Element) -> Element {
    Element {
        text: element.text.trim().to_owned(),
        ..element
    }
}

fn append(open: &mut [Element], done: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(done);
    }
}

fn push_text(open: &mut [Element], text: &str) {
    if let Some(parent) = open.last_mut() {
        parent.text.push_str(text);
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<char, Problem> {
    let name = reference.xml10_content();
    match &*name {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => match reference.resolve_char_ref() {
            Ok(Some(character)) => Ok(character),
            Ok(None) | Err(_) => Err(Problem::Entity(crate::errors::shortened(&name))),
        },
    }
}

fn syntax(error: &quick_xml::Error) -> Problem {
    Problem::Syntax(crate::errors::shortened(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(document: &str, expected: Result<&str, Problem>) {
        let read = read(document.as_bytes()).map(|root| show(&root));
        assert_eq!(read, expected.map(str::to_owned), "{document}");
    }

    fn show(element: &Element) -> String {
        let children: Vec<_> = element.children.iter().map(show).collect();
        format!("{}={}[{}]", element.name, element.text, children.join(" "))
    }

    #[test]
    fn names_lose_case_and_namespace() {
        check(
            r#"<?xml version="1.0"?><x:ISE_API xmlns:x="urn:x"><x:Name> a b </x:Name><C/></x:ISE_API>"#,
            Ok("ise_api=[name=a b[] c=[]]"),
        );
        check("\u{feff}<a>1</a>", Ok("a=1[]"));
        check("<a>1<!-- 2 -->3<![CDATA[<4>]]></a>", Ok("a=13<4>[]"));
        check(
            "<a>&lt;&amp;&#x41;&#66;&gt;&quot;&apos;</a>",
            Ok("a=<&AB>\"'[]"),
        );
    }

    #[test]
    fn nothing_is_expanded() {
        check(
            r#"<!DOCTYPE a [<!ENTITY e "boom">]><a>&e;</a>"#,
            Err(Problem::DocumentType),
        );
        check("<a>&e;</a>", Err(Problem::Entity("e".to_owned())));
        check("<a>&#0;</a>", Err(Problem::Entity("#0".to_owned())));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for document in [
            "",
            "text",
            "{}",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "x<a/>",
            "<a",
            "<a>&",
            "<a>&x</a>",
            "<>",
            "<a/>x",
        ] {
            assert!(
                matches!(read(document.as_bytes()), Err(Problem::Syntax(_))),
                "{document}: {:?}",
                read(document.as_bytes())
            );
        }
        assert_eq!(read(b"<a>\xff</a>"), Err(Problem::Encoding));
        assert_eq!(read(&[0xff, 0xfe, 0x3c, 0x00]), Err(Problem::Encoding));
    }

    #[test]
    fn bounds_hold() {
        let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
        assert!(read(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(
            read(nested(MAX_DEPTH + 1).as_bytes()),
            Err(Problem::TooDeep)
        );
        let many = |count: usize| format!("<a>{}</a>", "<b/>".repeat(count));
        assert!(read(many(MAX_ELEMENTS - 1).as_bytes()).is_ok());
        assert_eq!(read(many(MAX_ELEMENTS).as_bytes()), Err(Problem::TooMany));
        let large = format!("<a>{}</a>", "x".repeat(MAX_BYTES));
        assert_eq!(read(large.as_bytes()), Err(Problem::TooLarge));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(document in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = read(&document);
        }

        #[test]
        fn nothing_that_looks_like_xml_makes_it_panic(
            pieces in proptest::collection::vec(
                prop_oneof![
                    Just("<a>"), Just("</a>"), Just("<b/>"), Just("<!DOCTYPE a>"), Just("&amp;"),
                    Just("&#x10FFFF;"), Just("&#xD800;"), Just("<![CDATA["), Just("]]>"), Just("<!--"),
                    Just("-->"), Just("<?"), Just("?>"), Just(" xmlns=\"u\""), Just("text"), Just("<a:b>"),
                ],
                0..64,
            )
        ) {
            let _ = read(pieces.concat().as_bytes());
        }

        #[test]
        fn text_survives(text in "[a-zA-Z0-9<>&\"' äöü]{0,64}") {
            let document = format!("<a>{}</a>", quick_xml::escape::escape(text.as_str()));
            prop_assert_eq!(read(document.as_bytes()).unwrap().text, text.trim());
        }
    }
}

//! XML as a tree, read strictly.

use anyhow::{Context as _, bail, ensure};
use quick_xml::Reader;
use quick_xml::events::Event;

/// An element with text or with elements, not with both.
#[derive(Debug, Default)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The document element.
    pub(crate) fn read(document: &str) -> anyhow::Result<Self> {
        ensure!(document.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>"));
        let mut reader = Reader::from_str(document);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event()? {
                Event::Start(start) => open.push(Self {
                    name: start.name().as_ref().to_owned(),
                    ..Self::default()
                }),
                Event::Empty(start) => {
                    let name = start.name().as_ref().to_owned();
                    let parent = open.last_mut().context("an element outside")?;
                    parent.children.push(Self {
                        name,
                        ..Self::default()
                    });
                }
                Event::End(_) => {
                    let element = open.pop().context("an end without a start")?;
                    ensure!(
                        element.text.trim().is_empty() || element.children.is_empty(),
                        "text beside elements in `{}`",
                        element.name
                    );
                    open.last_mut().context("outside")?.children.push(element);
                }
                Event::Text(text) => open.last_mut().context("outside")?.text += &text,
                Event::GeneralRef(entity) => {
                    let character = match &*entity {
                        "amp" => "&",
                        "lt" => "<",
                        "gt" => ">",
                        other => bail!("the entity `{other}`"),
                    };
                    open.last_mut().context("outside")?.text += character;
                }
                Event::Decl(_) => {}
                Event::Eof => break,
                other => bail!("unexpected: {other:?}"),
            }
        }
        let mut root = open.pop().context("no document")?;
        ensure!(open.is_empty() && root.children.len() == 1);
        root.children.pop().context("no document element")
    }

    /// Expects just these elements in this order, of which those with a `?` at
    /// the end of their name may be missing.
    pub(crate) fn expect(&self, sequence: &[&str]) -> anyhow::Result<()> {
        let mut expected = sequence.iter();
        for child in &self.children {
            loop {
                let wanted = expected.next().with_context(|| {
                    format!("`{}` is out of place in `{}`", child.name, self.name)
                })?;
                if wanted.trim_end_matches('?') == child.name {
                    break;
                }
                ensure!(
                    wanted.ends_with('?'),
                    "`{wanted}` is missing in `{}`",
                    self.name
                );
            }
        }
        let missing = expected.find(|wanted| !wanted.ends_with('?'));
        ensure!(
            missing.is_none(),
            "{missing:?} is missing in `{}`",
            self.name
        );
        Ok(())
    }

    pub(crate) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    pub(crate) fn number(&self, name: &str) -> anyhow::Result<Option<u32>> {
        let text = self.text_of(name);
        text.map(|text| {
            text.parse()
                .with_context(|| format!("`{name}` is `{text}`"))
        })
        .transpose()
    }

    pub(crate) fn boolean(&self, name: &str) -> anyhow::Result<Option<bool>> {
        let text = self.text_of(name);
        text.map(|text| {
            text.parse()
                .with_context(|| format!("`{name}` is `{text}`"))
        })
        .transpose()
    }
}

//! Looking for devices by whatever somebody has at hand of them.

use portreeve_domain::{Device, Identifier, User};

use super::value::{digits, lower};

/// Words that all have to be somewhere in what names or describes a device:
/// its identifiers, its name, its user, its maker, its model, what it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    words: Vec<Word>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Word {
    text: String,
    /// The same as a part of an interface address, if it can be one.
    digits: Option<String>,
}

impl Search {
    /// Looks for the words of a text, in any case.
    pub fn new(text: &str) -> Self {
        let words = text.split_whitespace().map(|word| {
            let digits = digits(word);
            let is_address = digits.len() >= 2 && digits.bytes().all(|it| it.is_ascii_hexdigit());
            Word {
                text: word.to_lowercase(),
                digits: is_address.then_some(digits),
            }
        });
        Self {
            words: words.collect(),
        }
    }

    /// Whether nothing is looked for.
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Whether a device has all of them. Without any word, every device has.
    pub fn finds(&self, device: &Device) -> bool {
        self.words.iter().all(|word| word.is_in(device))
    }
}

impl Word {
    fn is_in(&self, device: &Device) -> bool {
        let has = |text: &str| lower(text).contains(&self.text);
        let has_some = |text: Option<&str>| text.is_some_and(has);
        device.ids.iter().any(|id| self.is_in_identifier(id))
            || has_some(device.name.as_deref())
            || device.user.as_ref().is_some_and(|user: &User| {
                has_some(user.principal_name.as_deref())
                    || has_some(user.display_name.as_deref())
                    || has_some(user.id.as_deref())
            })
            || has(&device.key)
            || has_some(device.manufacturer.as_deref())
            || has_some(device.model.as_deref())
            || device
                .os
                .as_ref()
                .is_some_and(|os| has(&os.family) || has_some(os.version.as_deref()))
    }

    fn is_in_identifier(&self, id: &Identifier) -> bool {
        match (id, &self.digits) {
            (Identifier::Mac(mac), Some(part)) => digits(&mac.to_string()).contains(part),
            (Identifier::Mac(_), None) => false,
            _ => lower(&id.value()).contains(&self.text),
        }
    }
}

//! What a plugin says about itself.

use crate::error::LoadError;

/// The longest text of a description, in bytes. A schema may be longer.
const LONGEST_TEXT: usize = 1024;
const LONGEST_SCHEMA: usize = 256 * 1024;
const MOST_ENTRIES: usize = 64;

/// Static description, equal for every instance of one plugin binary.
#[derive(Clone, Debug, PartialEq)]
pub struct Descriptor {
    /// Reverse-DNS or registry name, e.g. `com.example.intune`.
    pub id: String,
    /// Semantic version of the plugin itself.
    pub version: String,
    /// Name for people.
    pub display_name: String,
    /// Who made it.
    pub vendor: Option<String>,
    /// Its licence, as an SPDX expression.
    pub license: Option<String>,
    /// Where more is to be read.
    pub homepage: Option<String>,
    /// JSON Schema (2020-12) of the settings.
    pub config_schema: serde_json::Value,
    /// Hosts it wants to reach: `host`, `host:port` or `*.domain`; `${key}`
    /// stands for a setting. The operator grants or refuses.
    pub egress: Vec<String>,
    /// The secrets it needs without ever seeing them.
    pub credentials: Vec<CredentialSlot>,
}

/// A secret that a plugin needs without ever seeing it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSlot {
    /// Name in the operator's configuration, e.g. `graph`.
    pub name: String,
    /// Which account and which permissions, for an administrator.
    pub description: String,
    /// Kinds the source accepts, best first, e.g. `oauth2-client-certificate`.
    pub kinds: Vec<String>,
    /// OAuth 2 scopes or permissions to ask for.
    pub permissions: Vec<String>,
    /// Whether the plugin works without it.
    pub optional: bool,
}

impl Descriptor {
    /// Checks what a plugin said, as it ends up in logs and on screens.
    pub(crate) fn checked(self, schema: &str) -> Result<Self, LoadError> {
        let refuse = |what: String| Err(LoadError::Description(what));
        if schema.len() > LONGEST_SCHEMA {
            return refuse(format!("the schema has more than {LONGEST_SCHEMA} bytes"));
        }
        if self.id.is_empty() || self.version.is_empty() {
            return refuse("id and version must not be empty".to_owned());
        }
        if self.egress.len() > MOST_ENTRIES || self.credentials.len() > MOST_ENTRIES {
            return refuse(format!("more than {MOST_ENTRIES} hosts or credentials"));
        }
        let slots = self.credentials.iter();
        let in_slots = slots.flat_map(|slot| {
            [&slot.name, &slot.description]
                .into_iter()
                .chain(&slot.kinds)
                .chain(&slot.permissions)
        });
        let texts = [&self.id, &self.version, &self.display_name]
            .into_iter()
            .chain(self.vendor.iter())
            .chain(self.license.iter())
            .chain(self.homepage.iter())
            .chain(&self.egress)
            .chain(in_slots);
        for text in texts {
            if text.len() > LONGEST_TEXT {
                return refuse(format!("a text has more than {LONGEST_TEXT} bytes"));
            }
            if text.chars().any(char::is_control) {
                return refuse(format!(
                    "a text has control characters: `{}`",
                    text.escape_debug()
                ));
            }
        }
        let config_schema = serde_json::from_str(schema)
            .map_err(|error| LoadError::Description(format!("the schema is no JSON: {error}")))?;
        Ok(Self {
            config_schema,
            ..self
        })
    }
}

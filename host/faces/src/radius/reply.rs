//! From an answer to what `rlm_rest` puts into its attribute lists.
//!
//! Every value is an object with `"do_xlat": false`. By default FreeRADIUS
//! expands strings, `%{exec:…}` included, so a device's name in the management
//! system could run commands on the RADIUS server.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

/// A list of attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// For the site's own policy.
    Control,
    /// For the network access server.
    Reply,
}

/// One value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    Text(String),
    Number(u32),
}

/// The attributes of one reply, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Attributes(Vec<Attribute>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Attribute {
    /// With its list, e.g. `reply:Filter-Id`.
    name: String,
    values: Vec<Value>,
    /// Added to what the site's policy has set, instead of replacing it.
    adds: bool,
}

impl Attributes {
    /// Sets an attribute that there is one of. The first value stays.
    pub(super) fn set(&mut self, list: List, name: &str, value: Value) {
        let name = with_list(list, name);
        if !self.0.iter().any(|attribute| attribute.name == name) {
            self.0.push(Attribute {
                name,
                values: vec![value],
                adds: false,
            });
        }
    }

    /// Adds a value to an attribute that there may be several of.
    pub(super) fn add(&mut self, list: List, name: &str, value: Value) {
        let name = with_list(list, name);
        match self.0.iter_mut().find(|attribute| attribute.name == name) {
            Some(attribute) => {
                attribute.values.push(value);
                attribute.adds = true;
            }
            None => self.0.push(Attribute {
                name,
                values: vec![value],
                adds: true,
            }),
        }
    }
}

fn with_list(list: List, name: &str) -> String {
    let list = match list {
        List::Control => "control",
        List::Reply => "reply",
    };
    format!("{list}:{name}")
}

impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for attribute in &self.0 {
            object.serialize_entry(&attribute.name, attribute)?;
        }
        object.end()
    }
}

impl Serialize for Attribute {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(3))?;
        object.serialize_entry("op", if self.adds { "+=" } else { ":=" })?;
        object.serialize_entry("do_xlat", &false)?;
        match self.values.as_slice() {
            [value] => object.serialize_entry("value", value)?,
            values => object.serialize_entry("value", values)?,
        }
        object.end()
    }
}

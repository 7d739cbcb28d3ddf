//! The list `deviceManagement/managedDevices` and its entries.
//!
//! Pages are cut by the last id that was listed: a device that is there all the time is on exactly
//! one page, whatever is added and removed meanwhile. That, and the order, are choices made here;
//! the real service says nothing about either. `@odata.count` is the number of all devices on a
//! first page without a filter, and that of the page otherwise.

use std::fmt::Write as _;

use percent_encoding::percent_decode_str;
use uuid::Uuid;

use super::filter::Filter;
use super::property::{ALL, Property, named};
use crate::device::{Device, Directory};

/// Most devices on a page, and how many there are without `$top`.
const LARGEST_PAGE: usize = 1000;

/// What is wrong with a request, in Graph's words; all of it is status 400.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// A property that there is not.
    #[error(
        "Parsing OData Select and Expand failed: Could not find a property named '{0}' on type 'microsoft.graph.managedDevice'."
    )]
    Select(String),
    /// A number that is none.
    #[error("Invalid value '{0}' for $top query option found.")]
    Top(String),
    /// A filter that is not understood.
    #[error("{0}")]
    Filter(String),
    /// A link that was not made here.
    #[error("Invalid Skip Token")]
    SkipToken,
}

/// One page of the list; `query` is that of the URL. With `one_serial` all devices have the serial
/// number of the first.
pub(crate) fn page(
    directory: &Directory,
    graph: &str,
    query: &str,
    one_serial: bool,
) -> Result<Vec<u8>, Refused> {
    let options = Options::read(query)?;
    let mut page = Vec::with_capacity(1 << 20);
    let mut devices = directory.after(options.last).filter(|slot| {
        options
            .filter
            .as_ref()
            .is_none_or(|filter| filter.passes(*slot))
    });
    let mut last = None;
    let mut serial: Option<String> = None;
    let mut count = 0;
    for slot in devices.by_ref().take(options.top) {
        let mut device = slot.device();
        if one_serial {
            match &serial {
                Some(serial) => serial.clone_into(&mut device.to_mut().serial_number),
                None => serial = Some(device.serial_number.clone()),
            }
        }
        if count > 0 {
            page.push(b',');
        }
        write(&mut page, &device, options.select.as_deref(), None);
        count += 1;
        last = Some((device.guid, device.display_name().into_owned()));
    }
    let next = match last {
        Some(last) if devices.next().is_some() => Some(options.next(graph, last.0, &last.1)),
        _ => None,
    };
    let total = if options.last.is_none() && options.filter.is_none() {
        directory.len()
    } else {
        count
    };
    let mut answer = serde_json::json!({
        "@odata.context": format!("{graph}/v1.0/$metadata#deviceManagement/managedDevices"),
        "@odata.count": total,
    });
    if let (Some(next), Some(answer)) = (next, answer.as_object_mut()) {
        answer.insert("@odata.nextLink".to_owned(), next.into());
    }
    let mut body = answer.to_string().into_bytes();
    body.pop();
    body.extend_from_slice(b",\"value\":[");
    body.append(&mut page);
    body.extend_from_slice(b"]}");
    Ok(body)
}

/// One entry.
pub(crate) fn device(device: &Device, graph: &str, query: &str) -> Result<Vec<u8>, Refused> {
    let options = Options::read(query)?;
    let mut body = Vec::new();
    let context = format!("{graph}/v1.0/$metadata#deviceManagement/managedDevices/$entity");
    write(&mut body, device, options.select.as_deref(), Some(&context));
    Ok(body)
}

fn write(
    body: &mut Vec<u8>,
    device: &Device,
    select: Option<&[&'static Property]>,
    context: Option<&str>,
) {
    let mut separator = b'{';
    if let Some(context) = context {
        body.extend_from_slice(b"{\"@odata.context\":");
        // Writing text to memory cannot fail.
        let _ = serde_json::to_writer(&mut *body, context);
        separator = b',';
    }
    let mut one = |property: &Property, selected| {
        body.push(separator);
        separator = b',';
        body.push(b'"');
        body.extend_from_slice(property.name.as_bytes());
        body.extend_from_slice(b"\":");
        property.write(body, device, selected);
    };
    match select {
        Some(select) => select.iter().for_each(|property| one(property, true)),
        None => ALL.iter().for_each(|property| one(property, false)),
    }
    body.push(b'}');
}

#[derive(Debug)]
struct Options<'a> {
    /// As it was written, without the place.
    query: Vec<&'a str>,
    select: Option<Vec<&'static Property>>,
    filter: Option<Filter>,
    top: usize,
    last: Option<Uuid>,
}

impl std::fmt::Debug for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl<'a> Options<'a> {
    fn read(query: &'a str) -> Result<Self, Refused> {
        let mut options = Self {
            query: Vec::new(),
            select: None,
            filter: None,
            top: LARGEST_PAGE,
            last: None,
        };
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let decoded = |text: &str| {
                let text = text.replace('+', " ");
                percent_decode_str(&text).decode_utf8_lossy().into_owned()
            };
            let value = decoded(value);
            match decoded(name).as_str() {
                "$select" => options.select = Some(selected(&value)?),
                "$filter" => {
                    let filter = Filter::parse(&value);
                    options.filter =
                        Some(filter.map_err(|error| Refused::Filter(error.to_string()))?);
                }
                "$top" => match value.parse() {
                    Ok(top) if top > 0 => options.top = LARGEST_PAGE.min(top),
                    _ => return Err(Refused::Top(value)),
                },
                "$skiptoken" => {
                    options.last = Some(place(&value).ok_or(Refused::SkipToken)?);
                    continue;
                }
                _ => {}
            }
            options.query.push(parameter);
        }
        Ok(options)
    }

    /// The link to the page after this device. It has the oddities of real ones: some characters
    /// are escaped and some are not, a space among them.
    fn next(&self, graph: &str, last: Uuid, name: &str) -> String {
        let mut link = format!("{graph}/v1.0/deviceManagement/managedDevices?");
        for parameter in &self.query {
            // Writing to a string cannot fail.
            let _ = write!(link, "{parameter}&");
        }
        let name: String = name
            .chars()
            .filter(|character| character.is_alphanumeric() || *character == '-')
            .collect();
        let _ = write!(
            link,
            "$skiptoken=LastDeviceName%3d'{name}', LastDeviceId%3d%27{last}%27"
        );
        link
    }
}

fn selected(value: &str) -> Result<Vec<&'static Property>, Refused> {
    value
        .split(',')
        .map(str::trim)
        .map(|name| named(name).ok_or_else(|| Refused::Select(name.to_owned())))
        .collect()
}

/// The device that a place comes after.
fn place(token: &str) -> Option<Uuid> {
    let (_, id) = token.rsplit_once("LastDeviceId='")?;
    Uuid::parse_str(id.strip_suffix('\'')?).ok()
}

#[cfg(test)]
mod tests;

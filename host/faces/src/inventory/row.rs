//! One record as JSON.

use portreeve_domain::{Device, DeviceType, Timestamp};
use portreeve_gateway::query::{Fact, FactValue};
use portreeve_gateway::selection::Row;

use crate::json::Json;
use crate::rest;

/// Writes the whole record, or some facts of it.
pub(super) fn write(json: &mut Json, row: &Row, fields: Option<&[Fact]>, now: Timestamp) {
    let Some(fields) = fields else {
        json.raw("{");
        write_record(json, row, now);
        json.raw("}");
        return;
    };
    let candidate = row.candidate();
    json.raw("{").each(fields, |json, fact| {
        json.text(&fact.to_string()).raw(":");
        write_value(json, &fact.of(&candidate).unwrap_or(FactValue::Absent));
    });
    json.raw("}");
}

/// Writes the members of a record: who told it when, and the device.
pub(super) fn write_record(json: &mut Json, row: &Row, now: Timestamp) {
    json.raw("\"source\":").text(&row.source);
    json.raw(",\"fetched_at\":").moment(row.fetched_at);
    json.raw(",\"age_seconds\":")
        .number(now.since(row.fetched_at).as_secs());
    json.raw(",\"stale\":").boolean(row.is_stale);
    json.raw(",\"type\":\"").raw(type_of(&row.device));
    json.raw("\",\"device\":");
    rest::write_device(json, &row.device);
}

fn type_of(device: &Device) -> &'static str {
    DeviceType::of(device.os.as_ref()).as_str()
}

/// Writes the value of a fact, `null` if the source does not tell it.
pub(super) fn write_value(json: &mut Json, value: &FactValue<'_>) {
    match value {
        FactValue::Absent => json.raw("null"),
        FactValue::Boolean(value) => json.boolean(*value),
        FactValue::Integer(number) => json.signed(*number),
        FactValue::Moment(at) => json.moment(*at),
        FactValue::Text(text) => json.text(text),
        FactValue::Texts(texts) => {
            json.raw("[").each(texts, |json, text| {
                json.text(text);
            });
            json.raw("]")
        }
    };
}

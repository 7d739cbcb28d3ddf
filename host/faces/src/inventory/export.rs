//! A whole list as a file. It is written piece by piece, as fast as it is read.

use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use portreeve_gateway::query::Fact;
use portreeve_gateway::selection::{Row, SelectionError};
use tokio::sync::OwnedSemaphorePermit;

use super::parameters::Format;
use super::snapshots::List;
use super::{NO_STORE, csv, row};
use crate::clients::Client;
use crate::faces::Faces;
use crate::json::Json;

/// Records that are decoded and written at once.
const PIECE: usize = 256;

/// What a file is written from.
struct Export {
    faces: Arc<Faces>,
    list: List,
    format: Format,
    places: Range<usize>,
    is_begun: bool,
    /// One of a few, until the file is written or nobody reads it any more.
    _turn: OwnedSemaphorePermit,
}

/// The file as it is sent.
pub(super) fn response(
    faces: &Arc<Faces>,
    client: &Client,
    mut list: List,
    format: Format,
    turn: OwnedSemaphorePermit,
) -> Response {
    let (kind, name) = match format {
        Format::Csv => ("text/csv; charset=utf-8; header=present", "devices.csv"),
        Format::Json | Format::Lines => ("application/jsonl", "devices.jsonl"),
    };
    if format == Format::Csv && list.fields.is_none() {
        list.fields = Some(csv::usual_columns(&client.connection.view));
    }
    let export = Export {
        places: 0..list.selection.len(),
        faces: Arc::clone(faces),
        list,
        format,
        is_begun: false,
        _turn: turn,
    };
    let mut response = Response::new(Body::from_stream(export.pieces()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, NO_STORE);
    let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
    if let Ok(disposition) = disposition {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

impl Export {
    fn pieces(self) -> impl Stream<Item = Result<Bytes, SelectionError>> {
        futures_util::stream::try_unfold(self, |mut export| async move {
            let piece = Box::pin(export.piece()).await?;
            Ok(piece.map(|piece| (piece, export)))
        })
    }

    /// The next piece, `None` at the end.
    async fn piece(&mut self) -> Result<Option<Bytes>, SelectionError> {
        let is_first = !std::mem::replace(&mut self.is_begun, true);
        let end = self.places.start.saturating_add(PIECE).min(self.places.end);
        let places = self.places.start..end;
        self.places.start = end;
        if places.is_empty() && !(is_first && self.format == Format::Csv) {
            return Ok(None);
        }
        let selection = &self.list.selection;
        let outcomes = self.list.wants_outcomes();
        let rows = self.faces.gateway.rows(selection, places, outcomes).await?;
        let fields = self.list.fields.as_deref();
        Ok(Some(match self.format {
            Format::Csv => table(&rows, fields.unwrap_or_default(), is_first),
            Format::Json | Format::Lines => {
                let mut json = Json::new();
                for record in &rows {
                    row::write(&mut json, record, fields, selection.taken_at());
                    json.raw("\n");
                }
                Bytes::from(json.into_bytes())
            }
        }))
    }
}

fn table(rows: &[Row], columns: &[Fact], is_first: bool) -> Bytes {
    let mut text = String::new();
    if is_first {
        csv::write_names(&mut text, columns);
    }
    for row in rows {
        csv::write_row(&mut text, row, columns);
    }
    Bytes::from(text)
}

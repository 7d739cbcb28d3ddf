//! The compliance services.

use axum::Json;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::header::CACHE_CONTROL;

use super::answer::{self, Flat};
use super::list;
use super::path::Service;
use super::query::{self, Asked};
use super::xml_response;
use crate::dispatch::Caller;
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};
use crate::told::tell;

/// `mdminfo`.
pub(super) fn information(service: Service) -> Response {
    xml_response(answer::information(service))
}

/// `devices`, as XML.
pub(super) async fn devices(
    faces: &Faces,
    service: Service,
    request: Request,
) -> Result<Response, Problem> {
    let (caller, asked) = read(&request)?;
    match asked {
        Asked::One(identifier) => {
            let identifiers = vec![identifier.clone()];
            tell(faces, &caller, identifiers, |told| {
                Ok(xml_response(answer::single(service, &identifier, told)))
            })
            .await
        }
        Asked::NotCompliant(listed_by) => {
            list::not_compliant(faces, &caller, service, listed_by).await
        }
    }
}

/// `devices`, as flat JSON.
pub(super) async fn flat(faces: &Faces, request: Request) -> Result<Response, Problem> {
    let (caller, asked) = read(&request)?;
    match asked {
        Asked::One(identifier) => {
            let identifiers = vec![identifier.clone()];
            tell(faces, &caller, identifiers, |told| {
                let flat = Flat::of(&identifier, told);
                Ok(([(CACHE_CONTROL, "no-store")], Json(flat)).into_response())
            })
            .await
        }
        Asked::NotCompliant(_) => {
            let detail = "`querycriteria`: lists are XML; ask the compliance retrieval service";
            Err(Problem::malformed(detail))
        }
    }
}

fn read(request: &Request) -> Result<(Caller, Asked), Problem> {
    let caller = request.extensions().get::<Caller>().cloned();
    let caller = caller
        .ok_or_else(|| Problem::new(ProblemKind::Internal, "nobody was authenticated for this"))?;
    let query = request.uri().query().unwrap_or_default();
    Ok((caller, query::read(query.as_bytes())?))
}

//! Sending to Intune's two services for certification authorities.

use portreeve_plugin::http::Response;
use serde_json::Value;

use crate::discovery::{self, Service, Wanted};
use crate::errors::{self, Failure, Party};
use crate::services::Services;
use crate::settings::Settings;

/// What is asked for or told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Validate,
    NotifySuccess,
    NotifyFailure,
    DownloadRevocations,
    UploadRevocations,
}

impl Operation {
    const fn service(self) -> Wanted {
        match self {
            Self::Validate | Self::NotifySuccess | Self::NotifyFailure => Wanted::Scep,
            Self::DownloadRevocations | Self::UploadRevocations => Wanted::Revocation,
        }
    }

    /// Where it is, below the address of its service.
    const fn path(self) -> &'static str {
        match self {
            Self::Validate => "/ScepActions/validateRequest",
            Self::NotifySuccess => "/ScepActions/successNotification",
            Self::NotifyFailure => "/ScepActions/failureNotification",
            Self::DownloadRevocations => "/CertificateAuthorityRequests/downloadRevocationRequests",
            Self::UploadRevocations => "/CertificateAuthorityRequests/uploadRevocationResults",
        }
    }

    /// The version of its service, which is a header.
    const fn version(self) -> &'static str {
        match self.service() {
            Wanted::Revocation => "5019-05-05",
            _ => "2018-02-20",
        }
    }

    pub(super) const fn party(self) -> Party {
        match self.service() {
            Wanted::Revocation => Party::Revocation,
            _ => Party::Scep,
        }
    }
}

/// Sends a body and gives the answer if its status is a success. When the
/// service seems to have moved from where it was remembered, it is discovered
/// again and the request repeated, once: it has not arrived. After any other
/// failure that may be the place's the next call discovers it.
pub(super) fn post<S: Services>(
    services: &S,
    settings: &Settings,
    operation: Operation,
    body: &Value,
) -> Result<Response, Failure> {
    let wanted = operation.service();
    let service = discovery::find(services, settings, wanted)?;
    let mut sent = post_to(services, settings, &service, operation, body);
    if service.remembered && sent.as_ref().is_err_and(|failure| failure.moved) {
        portreeve_plugin::info!(
            "the service may have moved, discovering it again",
            host = service.address.host
        );
        let service = discovery::find_anew(services, settings, wanted)?;
        sent = post_to(services, settings, &service, operation, body);
    }
    if sent.as_ref().is_err_and(may_be_the_place) {
        discovery::forget(services, wanted);
    }
    sent
}

fn post_to<S: Services>(
    services: &S,
    settings: &Settings,
    service: &Service,
    operation: Operation,
    body: &Value,
) -> Result<Response, Failure> {
    let url = format!("{}{}", service.address, operation.path());
    let headers = [
        ("api-version", operation.version()),
        // Spelled like this, beside the usual one.
        ("UserAgent", settings.provider_name.as_str()),
    ];
    let response = services
        .post(&url, &headers, body.to_string().into_bytes())
        .map_err(|error| errors::from_http(operation.party(), error))?;
    if matches!(response.status, 200..=299) {
        Ok(response)
    } else {
        let now = services.now_ms();
        Err(errors::from_status(operation.party(), &response, now))
    }
}

/// Whether another place might have done better: not where we were recognised
/// and told no, or asked to wait.
fn may_be_the_place(failure: &Failure) -> bool {
    use portreeve_plugin::connector::Error;

    failure.moved
        || matches!(
            failure.error,
            Error::Unavailable(_) | Error::Timeout | Error::BadResponse(_)
        )
}

//! The control interface: plain HTTP with JSON on loopback, for the demo and for scripts.
//!
//! | request | body | does |
//! | --- | --- | --- |
//! | `GET /` | | what [`State`] says |
//! | `POST /stop`, `POST /resume` | | switches the tenant off and on |
//! | `PUT /faults` | `{"step":"token","fault":{"kind":"timeout"},"times":2}` | plans a fault; without `times` until it is cleared |
//! | `DELETE /faults` | | clears all faults |
//! | `DELETE /requests` | | counts from zero |
//! | `PUT /devices` | a [`Device`] | adds or replaces a device |
//! | `PATCH /devices/{guid}` | some fields of a [`Device`] | changes a device |
//! | `DELETE /devices/{guid}` | | removes a device |
//! | `POST /move` | `"not-found"`, `"redirected"` or `"refused"` | moves to a new scale unit |
//! | `POST /advance` | seconds | moves the clock forward |
//! | `POST /challenges` | a [`Challenge`] | gives the challenge password for a certificate request |
//! | `GET /notifications` | | what was told about certificates |
//! | `PUT /revocations` | a [`Revocation`] | wants a certificate revoked |
//! | `GET /revocations` | | those that nobody has told about yet |
//! | `GET /revocations/results` | | what became of the others |
//! | `PUT /grants` | `["intune","scep_challenge_provider"]` | consents to a permission |
//! | `PUT /options` | [`Options`] | changes how the services answer |
//!
//! It asks nobody for a password: whoever can reach it may do all of this to a simulated tenant.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::{Path, State as Extension};
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::device::Device;
use crate::entra::Resource;
use crate::fault::{Fault, Step};
use crate::scep::{Challenge, Notification, Revocation, RevocationResult};
use crate::tenant::{Moved, Tenant};

/// What the tenant is doing.
#[derive(Debug, Serialize)]
pub struct State {
    /// Whether it is switched on.
    pub serving: bool,
    /// How many devices it has.
    pub devices: usize,
    /// Where the compliance service is now.
    pub compliance_url: String,
    /// Requests since the start or the last reset, per step.
    pub requests: BTreeMap<String, u64>,
}

/// Choices that can be changed while it runs; absent ones stay.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// See [`Tenant::set_rich`].
    pub rich: Option<bool>,
    /// See [`Tenant::set_omit_unknown`].
    pub omit_unknown: Option<bool>,
    /// See [`Tenant::set_grace_is_compliant`].
    pub grace_is_compliant: Option<bool>,
    /// See [`Tenant::refuse_replay`].
    pub refuse_replay: Option<bool>,
    /// See [`Tenant::generate`].
    pub generated_devices: Option<u32>,
    /// See [`Tenant::set_token_lifetime`].
    pub token_lifetime_seconds: Option<u64>,
    /// See [`Tenant::set_action_delay`].
    pub action_delay_seconds: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    step: Step,
    fault: Fault,
    times: Option<u32>,
}

type Failed = (StatusCode, String);

fn failed(error: &dyn std::error::Error) -> Failed {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// The routes; serve them on a loopback address.
pub fn router(tenant: Tenant) -> Router {
    Router::new()
        .route("/", get(state))
        .route("/stop", post(stop))
        .route("/resume", post(resume))
        .route("/faults", put(plan).delete(clear))
        .route("/requests", delete(reset))
        .route("/devices", put(add_device))
        .route(
            "/devices/{guid}",
            delete(remove_device).patch(change_device),
        )
        .route("/move", post(move_scale_unit))
        .route("/advance", post(advance))
        .route("/options", put(options))
        .route("/challenges", post(challenge))
        .route("/notifications", get(notifications))
        .route("/revocations", put(revoke).get(revocations))
        .route("/revocations/results", get(revocation_results))
        .route("/grants", put(grant))
        .with_state(tenant)
}

async fn state(Extension(tenant): Extension<Tenant>) -> Json<State> {
    let name = |step: Step| match serde_json::to_value(step) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{step:?}"),
    };
    Json(State {
        serving: tenant.is_serving().await,
        devices: tenant.device_count(),
        compliance_url: tenant.compliance_url(),
        requests: Step::ALL
            .into_iter()
            .map(|step| (name(step), tenant.requests(step)))
            .collect(),
    })
}

async fn stop(Extension(tenant): Extension<Tenant>) -> Result<StatusCode, Failed> {
    tenant.stop().await.map_err(|error| failed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn resume(Extension(tenant): Extension<Tenant>) -> Result<StatusCode, Failed> {
    tenant.resume().await.map_err(|error| failed(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn plan(Extension(tenant): Extension<Tenant>, Json(planned): Json<Planned>) -> StatusCode {
    let Planned { step, fault, times } = planned;
    match times {
        Some(times) => tenant.plan_fault(step, fault, times),
        None => tenant.set_fault(step, fault),
    }
    StatusCode::NO_CONTENT
}

async fn clear(Extension(tenant): Extension<Tenant>) -> StatusCode {
    tenant.clear_faults();
    StatusCode::NO_CONTENT
}

async fn reset(Extension(tenant): Extension<Tenant>) -> StatusCode {
    tenant.reset_requests();
    StatusCode::NO_CONTENT
}

async fn add_device(
    Extension(tenant): Extension<Tenant>,
    Json(device): Json<Device>,
) -> StatusCode {
    tenant.add_device(device);
    StatusCode::NO_CONTENT
}

async fn remove_device(Extension(tenant): Extension<Tenant>, Path(guid): Path<Uuid>) -> StatusCode {
    if tenant.remove_device(guid) {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::NOT_FOUND
    }
}

async fn change_device(
    Extension(tenant): Extension<Tenant>,
    Path(guid): Path<Uuid>,
    Json(fields): Json<serde_json::Map<String, serde_json::Value>>,
) -> Result<StatusCode, Failed> {
    let Some(device) = tenant.device(guid) else {
        return Err((StatusCode::NOT_FOUND, format!("no device `{guid}`")));
    };
    let changed = serde_json::to_value(device).and_then(|mut device| {
        if let Some(device) = device.as_object_mut() {
            device.extend(fields);
            device.insert("guid".to_owned(), guid.to_string().into());
        }
        serde_json::from_value(device)
    });
    let changed = changed.map_err(|error| (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    tenant.add_device(changed);
    Ok(StatusCode::NO_CONTENT)
}

async fn move_scale_unit(
    Extension(tenant): Extension<Tenant>,
    Json(old): Json<Moved>,
) -> Result<Json<String>, Failed> {
    let url = tenant.move_scale_unit(old).await;
    url.map(Json).map_err(|error| failed(&error))
}

async fn advance(Extension(tenant): Extension<Tenant>, Json(seconds): Json<u64>) -> StatusCode {
    tenant.advance(Duration::from_secs(seconds));
    StatusCode::NO_CONTENT
}

async fn options(Extension(tenant): Extension<Tenant>, Json(options): Json<Options>) -> StatusCode {
    if let Some(rich) = options.rich {
        tenant.set_rich(rich);
    }
    if let Some(omit) = options.omit_unknown {
        tenant.set_omit_unknown(omit);
    }
    if let Some(compliant) = options.grace_is_compliant {
        tenant.set_grace_is_compliant(compliant);
    }
    if let Some(refuse) = options.refuse_replay {
        tenant.refuse_replay(refuse);
    }
    if let Some(count) = options.generated_devices {
        tenant.generate(count);
    }
    if let Some(seconds) = options.token_lifetime_seconds {
        tenant.set_token_lifetime(Duration::from_secs(seconds));
    }
    if let Some(seconds) = options.action_delay_seconds {
        tenant.set_action_delay(Duration::from_secs(seconds));
    }
    StatusCode::NO_CONTENT
}

async fn challenge(
    Extension(tenant): Extension<Tenant>,
    Json(challenge): Json<Challenge>,
) -> Json<String> {
    Json(tenant.challenge(&challenge))
}

async fn notifications(Extension(tenant): Extension<Tenant>) -> Json<Vec<Notification>> {
    Json(tenant.notifications())
}

async fn revoke(
    Extension(tenant): Extension<Tenant>,
    Json(revocation): Json<Revocation>,
) -> StatusCode {
    tenant.revoke_certificate(revocation);
    StatusCode::NO_CONTENT
}

async fn revocations(Extension(tenant): Extension<Tenant>) -> Json<Vec<Revocation>> {
    Json(tenant.pending_revocations())
}

async fn revocation_results(Extension(tenant): Extension<Tenant>) -> Json<Vec<RevocationResult>> {
    Json(tenant.revocation_results())
}

async fn grant(
    Extension(tenant): Extension<Tenant>,
    Json((resource, role)): Json<(Resource, String)>,
) -> StatusCode {
    tenant.grant(resource, &role);
    StatusCode::NO_CONTENT
}

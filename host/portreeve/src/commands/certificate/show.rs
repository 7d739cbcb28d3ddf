//! A certificate in lines and in JSON.

use portreeve_egress::CertificateDetails;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// As JSON.
pub(in crate::commands) fn document(details: &CertificateDetails) -> Value {
    let moment = |moment: OffsetDateTime| moment.format(&Rfc3339).ok();
    json!({
        "common_name": details.common_name,
        "thumbprint": details.sha1,
        "sha256": details.sha256,
        "x5t": details.x5t,
        "x5t_s256": details.x5t_s256,
        "custom_key_identifier": details.key_identifier,
        "subject": details.subject,
        "issuer": details.issuer,
        "self_signed": details.is_self_issued(),
        "authority": details.is_authority,
        "serial": details.serial,
        "not_before": moment(details.not_before),
        "not_after": moment(details.not_after),
        "key": details.key,
        "names": details.names,
    })
}

/// For people. The common name comes first, because that is what Entra shows
/// as the name of an entry.
pub(in crate::commands) fn lines(details: &CertificateDetails) -> Vec<String> {
    let by = if details.is_self_issued() {
        " (itself)"
    } else {
        ""
    };
    let mut lines = vec![
        format!(
            "CN            {}",
            details.common_name.as_deref().unwrap_or("(none)")
        ),
        format!("thumbprint    {} (SHA-1, as Entra shows it)", details.sha1),
        format!("SHA-256       {}", details.sha256),
        format!("x5t           {}", details.x5t),
        format!("subject       {}", details.subject),
        format!("issuer        {}{by}", details.issuer),
        format!("serial        {}", details.serial),
        format!("valid         {}", validity(details)),
        format!("key           {}", details.key),
    ];
    if !details.names.is_empty() {
        lines.push(format!("names         {}", details.names.join(", ")));
    }
    lines
}

/// From when to when, and how that stands today.
pub(in crate::commands) fn validity(details: &CertificateDetails) -> String {
    let now = OffsetDateTime::now_utc();
    let (from, to) = (details.not_before.date(), details.not_after.date());
    let left = (details.not_after - now).whole_days();
    if details.not_after < now {
        return format!("{from} to {to}, EXPIRED");
    }
    if details.not_before > now {
        return format!("{from} to {to}, NOT YET VALID");
    }
    format!("{from} to {to}, {left} days left")
}

/// The names from the first certificate to its last issuer that is known, as
/// far as the file has them.
pub(in crate::commands) fn hierarchy(chain: &[CertificateDetails]) -> Vec<String> {
    let name = |details: &CertificateDetails| {
        let name = details.common_name.as_ref().unwrap_or(&details.subject);
        name.clone()
    };
    let Some(mut current) = chain.first() else {
        return Vec::new();
    };
    let mut names = vec![name(current)];
    // Certificates may issue each other in a circle.
    for _ in 0..chain.len() {
        if current.is_self_issued() {
            return names;
        }
        let Some(issuer) = chain.iter().find(|other| other.subject == current.issuer) else {
            names.push(format!("{} (not in the file)", current.issuer));
            return names;
        };
        names.push(name(issuer));
        current = issuer;
    }
    names
}

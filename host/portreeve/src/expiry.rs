//! What ends some day: secrets, certificates of credentials, trusted issuers,
//! and the server's own certificate. Told in the log once a day, as metrics, to
//! operators and by `check-config`.

use std::time::Duration;

use parking_lot::Mutex;
use portreeve_domain::Timestamp;
use portreeve_egress::CertificateDetails;
use portreeve_faces::CredentialExpiry;
use prometheus::{GaugeVec, Opts, Registry};
use rustls_pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::config::{Config, ConnectorConfig, CredentialKind, Located, Problem};

/// From here on it is worth a word, in days.
const WARN_DAYS: i64 = 30;
/// From here on it is urgent, in days.
const URGENT_DAYS: i64 = 7;
const DAY: Duration = Duration::from_hours(24);

/// One thing that ends.
#[derive(Clone, Debug)]
pub(crate) struct Expiring {
    /// Connector that needs it, if it is one's.
    connector: Option<String>,
    /// Its name within that: a credential, `trust`, or `server`.
    name: String,
    /// What it is, in words.
    what: String,
    thumbprint: Option<String>,
    at: OffsetDateTime,
    /// Where it is configured.
    place: Option<Located<String>>,
}

/// Everything in the configuration that ends.
pub(crate) fn all(config: &Config) -> Vec<Expiring> {
    let mut found: Vec<Expiring> = config.connectors.0.iter().flat_map(of_connector).collect();
    for trust in &config.trust.0 {
        let name = &trust.name;
        found.extend(first_to_end(&trust.file.certificates).map(|details| {
            let what = format!("the trusted certificate `{}`", details.subject);
            of_certificate(None, &name.value, what, &details, Some(name))
        }));
    }
    if let Some(tls) = &config.server.tls {
        let own = tls.certificate.certificates.get(..1).unwrap_or_default();
        found.extend(first_to_end(own).map(|details| {
            let what = format!("the server's certificate `{}`", details.subject);
            of_certificate(None, "server", what, &details, None)
        }));
        let issuers = tls.client_ca.iter().flat_map(|file| &file.certificates);
        let issuers: Vec<_> = issuers.cloned().collect();
        found.extend(first_to_end(&issuers).map(|details| {
            let what = format!("the issuer of client certificates `{}`", details.subject);
            of_certificate(None, "client-ca", what, &details, None)
        }));
    }
    found
}

/// What ends of one connector.
pub(crate) fn of_connector(config: &ConnectorConfig) -> Vec<Expiring> {
    let connector = &config.name.value;
    let mut found = Vec::new();
    for credential in &config.credentials.0 {
        let name = &credential.name;
        if let Some(expires) = credential.expires {
            found.push(Expiring {
                connector: Some(connector.clone()),
                name: name.value.clone(),
                what: "the secret".to_owned(),
                thumbprint: None,
                at: expires.0,
                place: Some(name.clone()),
            });
        }
        if let CredentialKind::ClientCertificate { certificate, .. } = &credential.kind
            && let Ok(details) = CertificateDetails::read(certificate.certificate.der())
        {
            let what = format!("the certificate `{}`", details.subject);
            let whose = Some(connector.as_str());
            found.push(of_certificate(
                whose,
                &name.value,
                what,
                &details,
                Some(name),
            ));
        }
    }
    let trusted = config.trust.iter().flat_map(|file| &file.certificates);
    let trusted: Vec<_> = trusted.cloned().collect();
    found.extend(first_to_end(&trusted).map(|details| {
        let what = format!("the trusted certificate `{}`", details.subject);
        let name = &config.name;
        of_certificate(Some(&name.value), "trust", what, &details, Some(name))
    }));
    found
}

fn of_certificate(
    connector: Option<&str>,
    name: &str,
    what: String,
    details: &CertificateDetails,
    place: Option<&Located<String>>,
) -> Expiring {
    Expiring {
        connector: connector.map(str::to_owned),
        name: name.to_owned(),
        what,
        thumbprint: Some(details.sha1.clone()),
        at: details.not_after,
        place: place.cloned(),
    }
}

fn first_to_end(certificates: &[CertificateDer<'static>]) -> Option<CertificateDetails> {
    certificates
        .iter()
        .filter_map(|der| CertificateDetails::read(der).ok())
        .min_by_key(|details| details.not_after)
}

impl Expiring {
    /// Whole days until then; negative if it is over.
    fn days_left(&self, now: OffsetDateTime) -> i64 {
        (self.at - now).whole_seconds().div_euclid(86_400)
    }

    /// What to say, if it is time to say something.
    fn warning(&self, now: OffsetDateTime) -> Option<String> {
        let days = self.days_left(now);
        if days > WARN_DAYS {
            return None;
        }
        let whose = match &self.connector {
            Some(connector) => format!(
                "{} of `{}` of connector `{connector}`",
                self.what, self.name
            ),
            None => format!("{} (`{}`)", self.what, self.name),
        };
        let on = self.at.date();
        Some(match days {
            ..0 => format!("{whose} has EXPIRED on {on}"),
            0 => format!("{whose} expires within a day, on {on}"),
            days => format!("{whose} expires in {days} days, on {on}"),
        })
    }
}

/// For `check-config` and the start.
pub(crate) fn warnings(config: &Config) -> Vec<Problem> {
    let now = OffsetDateTime::now_utc();
    let found = all(config).into_iter();
    found
        .filter_map(|expiring| {
            let message = expiring.warning(now)?;
            let problem = match &expiring.place {
                Some(place) => Problem::with(place, message),
                None => Problem::nowhere(message),
            };
            Some(
                problem.hint(
                    "make a new one in time, and let the gateway use it before the old one ends",
                ),
            )
        })
        .collect()
}

/// What ends of the configuration in force.
#[derive(Debug)]
pub(crate) struct Expiries {
    found: Mutex<Vec<Expiring>>,
    credentials: GaugeVec,
    certificates: GaugeVec,
}

impl Expiries {
    pub(crate) fn new(
        found: Vec<Expiring>,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let credentials = GaugeVec::new(
            Opts::new(
                "portreeve_credential_expiry_timestamp_seconds",
                "When a secret or certificate of a connector ends, in seconds since 1970.",
            ),
            &["connector", "credential"],
        )?;
        let certificates = GaugeVec::new(
            Opts::new(
                "portreeve_certificate_expiry_timestamp_seconds",
                "When the server's certificate or a trusted one ends, in seconds since 1970.",
            ),
            &["certificate"],
        )?;
        registry.register(Box::new(credentials.clone()))?;
        registry.register(Box::new(certificates.clone()))?;
        let expiries = Self {
            found: Mutex::default(),
            credentials,
            certificates,
        };
        expiries.replace(found);
        Ok(expiries)
    }

    /// Another configuration is in force.
    pub(crate) fn replace(&self, found: Vec<Expiring>) {
        self.credentials.reset();
        self.certificates.reset();
        for expiring in &found {
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds since 1970 are far below 2^52"
            )]
            let at = expiring.at.unix_timestamp() as f64;
            let gauge = match &expiring.connector {
                Some(connector) => self
                    .credentials
                    .with_label_values(&[connector.as_str(), expiring.name.as_str()]),
                None => self
                    .certificates
                    .with_label_values(&[expiring.name.as_str()]),
            };
            gauge.set(at);
        }
        *self.found.lock() = found;
    }

    /// Tells the log, now and once a day. Does not end.
    pub(crate) async fn watch(&self) {
        let mut days = tokio::time::interval(DAY);
        loop {
            days.tick().await;
            self.tell(OffsetDateTime::now_utc());
        }
    }

    fn tell(&self, now: OffsetDateTime) {
        for expiring in self.found.lock().iter() {
            let Some(warning) = expiring.warning(now) else {
                continue;
            };
            let (connector, name) = (expiring.connector.as_deref(), &expiring.name);
            let days_left = expiring.days_left(now);
            if days_left <= URGENT_DAYS {
                tracing::error!(connector, name, days_left, warning, "something expires");
            } else {
                tracing::warn!(connector, name, days_left, warning, "something expires");
            }
        }
    }

    /// Those of connectors, for operators.
    pub(crate) fn of_connectors(&self) -> Vec<CredentialExpiry> {
        let found = self.found.lock();
        let found = found.iter().filter_map(|expiring| {
            let millis = expiring.at.unix_timestamp_nanos() / 1_000_000;
            Some(CredentialExpiry {
                connector: expiring.connector.clone()?,
                name: expiring.name.clone(),
                thumbprint: expiring.thumbprint.clone(),
                expires_at: Timestamp::from_millis(u64::try_from(millis).unwrap_or_default()),
            })
        });
        found.collect()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn warnings_come_in_time() {
        let at = datetime!(2027-01-31 00:00 UTC);
        let expiring = Expiring {
            connector: Some("contoso".to_owned()),
            name: "graph".to_owned(),
            what: "the secret".to_owned(),
            thumbprint: None,
            at,
            place: None,
        };
        let whose = "the secret of `graph` of connector `contoso`";
        for (days, expected) in [
            (400, None),
            (31, None),
            (
                30,
                Some(format!("{whose} expires in 30 days, on 2027-01-31")),
            ),
            (7, Some(format!("{whose} expires in 7 days, on 2027-01-31"))),
            (
                0,
                Some(format!("{whose} expires within a day, on 2027-01-31")),
            ),
            (-1, Some(format!("{whose} has EXPIRED on 2027-01-31"))),
        ] {
            assert_eq!(expiring.warning(at - time::Duration::days(days)), expected);
        }
    }

    #[test]
    fn metrics_follow_the_configuration() {
        let registry = Registry::new();
        let expiring = |name: &str, connector: Option<&str>| Expiring {
            connector: connector.map(str::to_owned),
            name: name.to_owned(),
            what: "x".to_owned(),
            thumbprint: None,
            at: datetime!(2027-01-31 00:00 UTC),
            place: None,
        };
        let expiries = Expiries::new(vec![expiring("graph", Some("contoso"))], &registry).unwrap();
        let names = || {
            let gathered = registry.gather();
            let names = gathered.iter().map(|family| family.name().to_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names(), ["portreeve_credential_expiry_timestamp_seconds"]);
        assert_eq!(expiries.of_connectors().len(), 1);
        expiries.replace(vec![expiring("server", None)]);
        assert_eq!(names(), ["portreeve_certificate_expiry_timestamp_seconds"]);
        assert!(expiries.of_connectors().is_empty());
    }
}

//! What follows from a verdict: obligations and remediation.

mod remediation;
mod template;

use portreeve_plugin::policy::{Obligation, ObligationKind, Reason, Remediation, Verdict};

pub(crate) use template::unknown_placeholder;

use crate::evaluate::Question;
use crate::facts::Facts;
use crate::settings::{Application, Kind, Obligations, Settings};
use template::Words;

/// What is laid over the obligations of the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overlay {
    /// Nothing.
    None,
    /// Those of the grace period.
    Grace,
    /// Those of a device without record.
    Unknown,
}

/// The obligations and remediation that go with a verdict.
pub(crate) fn of<F: Facts + ?Sized>(
    question: &mut Question<'_, F>,
    verdict: Verdict,
    overlay: Overlay,
    reasons: &[Reason],
    minimum_os: &str,
) -> (Vec<Obligation>, Vec<Remediation>) {
    let settings = question.settings;
    let chosen = Chosen::new(&settings.obligations, verdict, overlay);
    // Only a verdict for which something can be done; an exception needs no help.
    let helps = verdict != Verdict::Permit || overlay != Overlay::None;
    let needs_ids = chosen.redirect().is_some_and(template::needs_ids)
        || (helps && remediation::needs_ids(settings, reasons));
    let ids = if needs_ids { question.requested() } else { &[] };
    let words = Words {
        reason: reasons.first().map_or("", |reason| reason.code.as_str()),
        minimum_os,
        ids,
    };
    let remediation = if helps {
        remediation::of(settings, reasons, words)
    } else {
        Vec::new()
    };
    (chosen.obligations(words), remediation)
}

/// The two tables from which obligations come, the first one going first.
struct Chosen<'a> {
    all: &'a Obligations,
    over: Option<&'a Application>,
    base: Option<&'a Application>,
}

impl<'a> Chosen<'a> {
    fn new(all: &'a Obligations, verdict: Verdict, overlay: Overlay) -> Self {
        let base = match verdict {
            Verdict::Abstain => None,
            Verdict::Permit => Some(&all.permit),
            Verdict::Restrict => Some(&all.restrict),
            Verdict::Deny => Some(&all.deny),
        };
        let over = match overlay {
            Overlay::None => None,
            Overlay::Grace => Some(&all.grace),
            Overlay::Unknown => Some(&all.unknown),
        };
        Self { all, over, base }
    }

    fn get<T>(&self, field: impl Fn(&'a Application) -> Option<T>) -> Option<T> {
        self.over
            .and_then(&field)
            .or_else(|| self.base.and_then(&field))
    }

    fn redirect(&self) -> Option<&'a str> {
        self.get(|application| application.redirect.as_deref())
    }

    fn obligations(&self, words: Words<'_>) -> Vec<Obligation> {
        let mut obligations = Vec::new();
        let mut add = |name: Kind, kind: Option<ObligationKind>| {
            if let Some(kind) = kind {
                obligations.push(Obligation {
                    kind,
                    advisory: self.all.advisory.contains(&name),
                });
            }
        };
        let vlan = self.get(|application| application.vlan.clone());
        add(Kind::Vlan, vlan.map(ObligationKind::Vlan));
        let role = self.get(|application| application.role.clone());
        add(Kind::Role, role.map(ObligationKind::Role));
        let acl = self.get(|application| application.acl.clone());
        add(Kind::Acl, acl.map(ObligationKind::Acl));
        let sgt = self.get(|application| application.sgt);
        add(Kind::Sgt, sgt.map(ObligationKind::Sgt));
        let timeout = self.get(|application| application.session_timeout);
        let timeout = timeout.map(|span| u32::try_from(span.seconds).unwrap_or(u32::MAX));
        add(
            Kind::SessionTimeout,
            timeout.map(ObligationKind::SessionTimeout),
        );
        let redirect = self.redirect().map(|url| template::url(url, words));
        add(Kind::Redirect, redirect.map(ObligationKind::Redirect));
        obligations
    }
}

/// Every template of the settings with its place, for checking.
pub(crate) fn templates(settings: &Settings) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    let all = &settings.obligations;
    for (name, application) in all.by_name() {
        if let Some(redirect) = &application.redirect {
            found.push((
                ["/obligations/", name, "/redirect"].concat(),
                redirect.as_str(),
            ));
        }
    }
    if let Some(url) = &settings.remediation_url {
        found.push(("/remediation-url".to_owned(), url.as_str()));
    }
    for (code, advice) in &settings.remediation {
        for (key, text) in [("message", &advice.message), ("url", &advice.url)] {
            if let Some(text) = text {
                found.push((["/remediation/", code, "/", key].concat(), text.as_str()));
            }
        }
    }
    found
}

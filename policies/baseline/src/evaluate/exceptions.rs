//! The operator's lists of exceptions. They come before everything else.

use portreeve_plugin::policy::{Failure, Verdict};

use super::Question;
use crate::facts::{Facts, member};
use crate::settings::Treatment;

/// The verdict for a device that is in one of the lists. A deny list beats a
/// permit list.
pub(super) fn verdict<F: Facts + ?Sized>(
    question: &mut Question<'_, F>,
) -> Result<Option<Verdict>, Failure> {
    let settings = question.settings;
    if settings.always_deny.is_empty() && settings.always_permit.is_empty() {
        return Ok(None);
    }
    let facts = question.facts;
    let mut members: Vec<String> = question.requested().iter().map(member).collect();
    for id in facts.ids() {
        let name = member(&id);
        if !members.contains(&name) {
            members.push(name);
        }
    }
    match search(facts, &settings.always_deny, &members) {
        Search::Found { list, member } => {
            let message = ["the list `", list, "` shuts the device out"].concat();
            let fact = fact_name(list, member);
            let findings = &mut question.findings;
            findings.add(Treatment::Deny, "on-deny-list", message, &[&fact]);
            return Ok(Some(Verdict::Deny));
        }
        // Whom it would have shut out is not known.
        Search::Missing { list, .. } => return Err(Failure::Misconfigured(no_such_list(list))),
        Search::NotFound => {}
    }
    match search(facts, &settings.always_permit, &members) {
        Search::Found { list, member } => {
            let message = ["the list `", list, "` lets the device in"].concat();
            let fact = fact_name(list, member);
            let findings = &mut question.findings;
            findings.add(Treatment::Permit, "on-permit-list", message, &[&fact]);
            return Ok(Some(Verdict::Permit));
        }
        // Nobody gets in by it; the other demands stand.
        Search::Missing { list, member } => {
            let fact = fact_name(list, member);
            let findings = &mut question.findings;
            findings.remark("list-missing", no_such_list(list), &[&fact]);
        }
        Search::NotFound => {}
    }
    Ok(None)
}

enum Search<'a> {
    Found { list: &'a str, member: &'a str },
    Missing { list: &'a str, member: &'a str },
    NotFound,
}

/// Looks for any member in any list. A list that does not exist is told only
/// when no other list has the device, but always before "not found".
fn search<'a, F: Facts + ?Sized>(
    facts: &F,
    lists: &'a [String],
    members: &'a [String],
) -> Search<'a> {
    let mut missing = Search::NotFound;
    for list in lists {
        for member in members {
            match facts.in_list(list, member) {
                Some(true) => return Search::Found { list, member },
                Some(false) => {}
                None => {
                    missing = Search::Missing { list, member };
                    break;
                }
            }
        }
    }
    missing
}

fn fact_name(list: &str, member: &str) -> String {
    ["in-list(", list, ", ", member, ")"].concat()
}

fn no_such_list(list: &str) -> String {
    ["there is no list `", list, "`"].concat()
}

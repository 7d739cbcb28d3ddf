//! Which hosts answered that no grant names: a connector found them out itself.

use parking_lot::Mutex;
use url::Url;

use crate::HostGrant;

/// Hosts that are remembered.
const MOST: usize = 4;

/// The last hosts that answered, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Reached(Mutex<Vec<String>>);

impl Reached {
    /// A host has answered.
    pub(crate) fn note(&self, url: &Url, allow: &[HostGrant]) {
        let Some(host) = url.host_str() else { return };
        let mut hosts = self.0.lock();
        if hosts.first().is_some_and(|first| first == host) {
            return;
        }
        let granting = allow.iter().filter(|grant| grant.matches(url));
        if granting.into_iter().any(|grant| !grant.is_wildcard()) {
            return;
        }
        hosts.retain(|known| known != host);
        hosts.insert(0, host.to_owned());
        hosts.truncate(MOST);
    }

    pub(crate) fn hosts(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_granted_by_name_are_no_discovery() {
        let allow = ["graph.microsoft.com", "*.manage.microsoft.com"];
        let allow = allow.map(|grant| grant.parse().unwrap());
        let reached = Reached::default();
        for host in ["graph.microsoft.com", "fef.a.manage.microsoft.com"] {
            let url = format!("https://{host}/x").parse().unwrap();
            reached.note(&url, &allow);
        }
        assert_eq!(reached.hosts(), ["fef.a.manage.microsoft.com"]);
        for number in [1, 2, 1, 3, 4, 5] {
            let url = format!("https://fef.{number}.manage.microsoft.com/x");
            reached.note(&url.parse().unwrap(), &allow);
        }
        let last = [5, 4, 3, 1].map(|number| format!("fef.{number}.manage.microsoft.com"));
        assert_eq!(reached.hosts(), last);
    }
}

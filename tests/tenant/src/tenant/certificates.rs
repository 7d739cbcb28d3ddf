//! What the tenant demands and learns of certificates.

use super::Tenant;
use crate::scep::{Challenge, Notification, Revocation, RevocationResult};

impl Tenant {
    /// The challenge password that a device puts into its request.
    pub fn challenge(&self, challenge: &Challenge) -> String {
        let service = &self.0.service;
        service.scep.challenge(challenge, service.clock.now())
    }

    /// From now on no device has this SCEP profile.
    pub fn withdraw_profile(&self, profile: &str) {
        let mut withdrawn = self.0.service.scep.withdrawn.lock();
        withdrawn.insert(profile.to_owned());
    }

    /// What was told about certificates, oldest first.
    pub fn notifications(&self) -> Vec<Notification> {
        let notifications = self.0.service.scep.notifications.lock();
        notifications.iter().cloned().collect()
    }

    /// Wants a certificate revoked.
    pub fn revoke_certificate(&self, revocation: Revocation) {
        self.0.service.scep.revocations.lock().push_back(revocation);
    }

    /// Certificates whose revocation nobody has told about yet.
    pub fn pending_revocations(&self) -> Vec<Revocation> {
        let revocations = self.0.service.scep.revocations.lock();
        revocations.iter().cloned().collect()
    }

    /// What became of revocations, oldest first.
    pub fn revocation_results(&self) -> Vec<RevocationResult> {
        let results = self.0.service.scep.results.lock();
        results.iter().cloned().collect()
    }
}

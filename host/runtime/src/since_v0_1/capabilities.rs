//! State, credentials and signing, as a connector sees them.

use std::time::Duration;

use portreeve_egress::{CredentialInfo, CredentialStatus, HmacAlgorithm, SignError};

use super::bindings::connector::portreeve::host::{credentials, signing, state};
use super::connector::ConnectorData;
use crate::state::{StateEntry, StateError};

impl state::Host for ConnectorData {
    async fn get(&mut self, key: String) -> Result<Option<state::Entry>, state::Error> {
        let found = self
            .state
            .get(&key)
            .await
            .map_err(|error| state_error(&error))?;
        Ok(found.map(|StateEntry { value, version }| state::Entry { value, version }))
    }

    async fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
        if_version: Option<u64>,
        ttl_ms: Option<u64>,
    ) -> Result<u64, state::Error> {
        let ttl = ttl_ms.map(Duration::from_millis);
        let stored = self.state.set(&key, value, if_version, ttl).await;
        stored.map_err(|error| state_error(&error))
    }

    async fn delete(&mut self, key: String) -> Result<(), state::Error> {
        self.state
            .delete(&key)
            .await
            .map_err(|error| state_error(&error))
    }

    async fn list_keys(
        &mut self,
        prefix: String,
        cursor: Option<String>,
    ) -> Result<state::Keys, state::Error> {
        let page = self.state.list_keys(&prefix, cursor.as_deref()).await;
        let page = page.map_err(|error| state_error(&error))?;
        Ok(state::Keys {
            keys: page.keys,
            cursor: page.cursor,
        })
    }
}

fn state_error(error: &StateError) -> state::Error {
    match error {
        StateError::InvalidKey => state::Error::InvalidKey,
        StateError::TooLarge(limit) => state::Error::TooLarge(*limit),
        StateError::QuotaExceeded => state::Error::QuotaExceeded,
        StateError::Conflict => state::Error::Conflict,
        StateError::Unavailable(_) => state::Error::Unavailable,
    }
}

impl credentials::Host for ConnectorData {
    async fn describe(&mut self, name: String) -> credentials::Info {
        info(self.hooks.egress.credential_status(&name))
    }

    async fn renew(&mut self, name: String) -> credentials::Info {
        if self.hooks.offline {
            return info(self.hooks.egress.credential_status(&name));
        }
        let deadline = self.hooks.deadline();
        info(self.hooks.egress.renew(&name, deadline.into()).await)
    }
}

fn info(info: CredentialInfo) -> credentials::Info {
    credentials::Info {
        status: match info.status {
            CredentialStatus::Missing => credentials::Status::Missing,
            CredentialStatus::Idle => credentials::Status::Idle,
            CredentialStatus::Ready => credentials::Status::Ready,
            CredentialStatus::Failing => credentials::Status::Failing,
        },
        scopes: info.scopes,
        detail: info.detail,
        permissions: info.roles,
    }
}

impl signing::Host for ConnectorData {
    fn sign(
        &mut self,
        credential: String,
        algorithm: signing::Algorithm,
        message: Vec<u8>,
    ) -> Result<Vec<u8>, signing::Error> {
        let signed = self
            .hooks
            .egress
            .sign(&credential, hmac(algorithm), &message);
        signed.map_err(|error| sign_error(&error))
    }

    fn verify(
        &mut self,
        credential: String,
        algorithm: signing::Algorithm,
        message: Vec<u8>,
        tag: Vec<u8>,
    ) -> Result<bool, signing::Error> {
        let egress = &self.hooks.egress;
        let verified = egress.verify(&credential, hmac(algorithm), &message, &tag);
        verified.map_err(|error| sign_error(&error))
    }
}

fn hmac(algorithm: signing::Algorithm) -> HmacAlgorithm {
    match algorithm {
        signing::Algorithm::HmacSha1 => HmacAlgorithm::Sha1,
        signing::Algorithm::HmacSha256 => HmacAlgorithm::Sha256,
        signing::Algorithm::HmacSha512 => HmacAlgorithm::Sha512,
    }
}

fn sign_error(error: &SignError) -> signing::Error {
    match error {
        SignError::NoSuchCredential(_) => signing::Error::NoSuchCredential,
        SignError::Key(_) => signing::Error::Other(error.to_string()),
    }
}

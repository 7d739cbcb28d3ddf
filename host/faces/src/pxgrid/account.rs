//! One node's account.

use portreeve_domain::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::right::{Right, Rights};

/// How far an account has come (pxGrid's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum AccountState {
    /// Made, and not used yet.
    Init,
    /// Waiting for the operator.
    Pending,
    /// Approved.
    Enabled,
    /// Refused, or not wanted any more.
    Disabled,
}

impl AccountState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Init => "INIT",
            Self::Pending => "PENDING",
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
        }
    }
}

/// How a node proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proof {
    /// By a password that the gateway made. Only its digest is kept: a salted
    /// SHA-256 is enough for 256 random bits.
    Password(#[serde(with = "hexadecimal")] [u8; 32]),
    /// By a certificate of the configured client of this name.
    Certificate(String),
}

/// One node's account, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) state: AccountState,
    pub(crate) proof: Proof,
    /// Random; the salt of the password, and what tells this account from an
    /// earlier one of the same name.
    #[serde(with = "hexadecimal")]
    pub(crate) salt: [u8; 16],
    /// What the node says about itself.
    #[serde(default)]
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) rights: Rights,
    /// When it was made, in milliseconds since 1970.
    created_at: u64,
}

/// No random bytes could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes")]
pub(crate) struct NoRandomness;

pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

impl Account {
    /// An account with a new password, which is known only now.
    pub(super) fn with_password(now: Timestamp) -> Result<(Self, Zeroizing<String>), NoRandomness> {
        let password = Zeroizing::new(hex::encode(random::<32>()?));
        let salt = random()?;
        let proof = Proof::Password(digest(&salt, &password));
        Ok((Self::new(proof, salt, now), password))
    }

    /// The account of a node with a certificate.
    pub(super) fn with_certificate(client: &str, now: Timestamp) -> Result<Self, NoRandomness> {
        let proof = Proof::Certificate(client.to_owned());
        Ok(Self::new(proof, random()?, now))
    }

    const fn new(proof: Proof, salt: [u8; 16], now: Timestamp) -> Self {
        Self {
            state: AccountState::Init,
            proof,
            salt,
            description: None,
            rights: Rights::READING,
            created_at: now.as_millis(),
        }
    }

    pub(crate) const fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.created_at)
    }

    /// Whether this is the account's password. The time it takes says nothing.
    pub(super) fn has_password(&self, password: &str) -> bool {
        let found = digest(&self.salt, password);
        match &self.proof {
            Proof::Password(expected) => found.ct_eq(expected).into(),
            Proof::Certificate(_) => false,
        }
    }

    pub(crate) fn may(&self, right: Right) -> bool {
        self.state == AccountState::Enabled && self.rights.contain(right)
    }
}

fn digest(salt: &[u8; 16], password: &str) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(salt);
    hash.update(password);
    hash.finalize().into()
}

/// Bytes as hexadecimal digits.
mod hexadecimal {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer, const N: usize>(
        bytes: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>, const N: usize>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        hex::decode_to_slice(text, &mut bytes).map_err(D::Error::custom)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_only_to_its_node() {
        let (account, password) = Account::with_password(Timestamp::from_millis(7)).unwrap();
        let (other, _) = Account::with_password(Timestamp::from_millis(7)).unwrap();
        assert!(account.has_password(&password));
        assert!(!other.has_password(&password));
        assert!(!account.has_password(""));
        let kept = serde_json::to_string(&account).unwrap();
        assert!(!kept.contains(&*password), "{kept}");
        assert_eq!(serde_json::from_str::<Account>(&kept).unwrap(), account);
    }

    #[test]
    fn no_password_opens_an_account_with_a_certificate() {
        let account = Account::with_certificate("switch", Timestamp::from_millis(7)).unwrap();
        for password in ["", "None", "none"] {
            assert!(!account.has_password(password));
        }
    }

    #[test]
    fn only_approved_nodes_have_rights() {
        let mut account = Account::with_certificate("switch", Timestamp::from_millis(7)).unwrap();
        for (state, may) in [
            (AccountState::Init, false),
            (AccountState::Pending, false),
            (AccountState::Enabled, true),
            (AccountState::Disabled, false),
        ] {
            account.state = state;
            assert_eq!(account.may(Right::Mdm), may, "{state:?}");
            assert!(!account.may(Right::Anc));
        }
    }
}

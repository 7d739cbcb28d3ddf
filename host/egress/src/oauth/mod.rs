//! OAuth 2 client credentials (RFC 6749, 4.4; RFC 7523 for certificates) as Entra ID speaks them.

mod advice;
mod assertion;
pub(crate) mod cache;
mod endpoint;
mod error;
mod fetch;
mod token;

pub use assertion::AssertionAlgorithm;
pub use error::{TokenError, TokenErrorKind};

pub(crate) use cache::TokenSource;
pub(crate) use endpoint::{ClientProof, TokenRequest};
pub(crate) use fetch::TokenEndpoint;
pub(crate) use token::Token;

#[cfg(test)]
pub(crate) use advice::{codes as advice_codes, findings as advice_findings};

//! What the operator decided about pxGrid.

use std::time::Duration;

/// The pxGrid face.
#[derive(Clone, Debug)]
pub struct PxgridSettings {
    /// The gateway's own name among the nodes.
    pub node_name: String,
    /// Where clients reach the gateway, e.g. `https://gateway.example:8910`.
    /// `None`: as each client wrote it in its request.
    pub url: Option<String>,
    /// Whether anybody may make an account, which then waits for approval.
    pub accounts: bool,
    /// Whether the certificate of a configured client is approval enough.
    pub approve_certificates: bool,
    /// Connections for publish-subscribe at a time.
    pub max_subscribers: usize,
    /// How long a node waits for an answer about one endpoint.
    pub patience: Duration,
}

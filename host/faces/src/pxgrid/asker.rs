//! For whom a node asks: what policies, logs and the gateway's views know it as.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use portreeve_domain::{Connection, SourceSet};

use super::account::Proof;
use super::{NodeName, Pxgrid};
use crate::clients::{Client, Face, Peer};
use crate::faces::Faces;
use crate::problem::{Problem, ProblemKind};

/// A node that asks a service.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    /// Its client is `pxgrid:NODE`, which no client of the configuration is
    /// called, or that of the configuration whose certificate it has.
    pub(super) connection: Arc<Connection>,
    pub(super) patience: Duration,
}

impl Asker {
    pub(super) fn name(&self) -> &Arc<str> {
        &self.connection.client
    }
}

/// Nodes that see a part only of what there is. Topics show all of it, so they
/// are not for them.
#[derive(Debug, Default)]
pub(super) struct Partial(RwLock<HashSet<NodeName>>);

impl Partial {
    pub(super) fn contains(&self, node: &NodeName) -> bool {
        self.0.read().contains(node)
    }

    pub(super) fn note(&self, node: &NodeName, connection: &Connection) {
        let view = &connection.view;
        let is_partial = view.sources != SourceSet::ALL || view.hides_facts();
        if is_partial == self.contains(node) {
            return;
        }
        let mut nodes = self.0.write();
        if is_partial {
            nodes.insert(node.clone());
        } else {
            nodes.remove(node);
        }
    }
}

impl Pxgrid {
    /// Who a node is that proved itself. One with a certificate has what its
    /// client has in the configuration that is in force; refused if that client
    /// is not there any more, or has not the face any more.
    pub(super) fn asker(
        &self,
        faces: &Faces,
        peer: &Peer,
        node: &NodeName,
    ) -> Result<Asker, Problem> {
        let proof = self.accounts.with(node, |account| account.proof.clone());
        let asker = match proof {
            Some(Proof::Certificate(client)) => {
                let roster = faces.clients.now();
                let client = roster.named(&client, peer.address).ok();
                let is_admitted = |client: &&Arc<Client>| client.may_use(Face::Pxgrid);
                let client = client.filter(is_admitted).ok_or_else(|| {
                    let detail = format!(
                        "the client of the node `{node}` may not use the face `pxgrid` from here"
                    );
                    Problem::new(ProblemKind::NotAllowed, detail)
                })?;
                Asker {
                    connection: Arc::clone(&client.connection),
                    patience: client.patience,
                }
            }
            _ => Asker {
                connection: Arc::new(Connection {
                    client: format!("pxgrid:{node}").into(),
                    ..Connection::default()
                }),
                patience: self.settings.patience,
            },
        };
        self.partial.note(node, &asker.connection);
        Ok(asker)
    }
}

//! Comparing the facts behind a decision with those of today.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use portreeve_domain::{Fact, FactsRead, Subject};

/// The facts that a policy read, by what can change them. Most decisions of
/// one policy read the same ones and share this.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Facts {
    /// Of the request and the sources: another question may have others.
    request: Box<[Fact]>,
    /// Of the operator's lists.
    lists: Box<[Fact]>,
    /// Of the device record, or of there being none.
    device: Box<[Fact]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Request,
    Lists,
    Device,
}

impl Facts {
    pub(super) fn new(read: &FactsRead) -> Self {
        let group = |belongs: fn(&Fact) -> bool| -> Box<[Fact]> {
            read.iter().filter(|fact| belongs(fact)).cloned().collect()
        };
        Self {
            // Time goes by: how long a decision holds is its validity's matter.
            request: group(|fact| {
                !fact.belongs_to_device()
                    && !matches!(fact, Fact::Now | Fact::ListMembership { .. })
            }),
            lists: group(|fact| matches!(fact, Fact::ListMembership { .. })),
            device: group(Fact::belongs_to_device),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.request.len() + self.lists.len() + self.device.len()
    }

    pub(super) const fn group(&self, group: Group) -> &[Fact] {
        match group {
            Group::Request => &self.request,
            Group::Lists => &self.lists,
            Group::Device => &self.device,
        }
    }
}

/// The digests of one subject, computed when they are asked for, and once for
/// all variants that rest on the same facts.
#[derive(Debug)]
pub(super) struct Digests<'a> {
    subject: &'a Subject,
    hasher: &'a RandomState,
    facts: Option<&'a Arc<Facts>>,
    known: [Option<u64>; 3],
}

impl<'a> Digests<'a> {
    pub(super) const fn new(subject: &'a Subject, hasher: &'a RandomState) -> Self {
        Self {
            subject,
            hasher,
            facts: None,
            known: [None; 3],
        }
    }

    /// One digest for the present values of a group of facts.
    pub(super) fn of(&mut self, facts: &'a Arc<Facts>, group: Group) -> u64 {
        if !self.facts.is_some_and(|known| Arc::ptr_eq(known, facts)) {
            self.facts = Some(facts);
            self.known = [None; 3];
        }
        let [request, lists, device] = &mut self.known;
        let known = match group {
            Group::Request => request,
            Group::Lists => lists,
            Group::Device => device,
        };
        *known.get_or_insert_with(|| digest(facts.group(group), self.subject, self.hasher))
    }
}

fn digest(facts: &[Fact], subject: &Subject, hasher: &RandomState) -> u64 {
    if facts.is_empty() {
        return 0;
    }
    let mut sum = hasher.build_hasher();
    for fact in facts {
        sum.write_u64(fact.digest(subject, hasher));
    }
    sum.finish()
}

//! The subject of a decision: what a policy may read, and that it was read.

use portreeve_domain as domain;
use portreeve_domain::{Device, Fact, Timestamp};
use wasmtime::component::Resource;

use super::bindings::connector::portreeve::device::types as device;
use super::bindings::policy::portreeve::facts::facts;
use super::device::{
    compliance_to_wit, enrollment_to_wit, id_to_wit, os_to_wit, ownership_to_wit, posture_to_wit,
    user_to_wit, value_to_wit,
};
use super::policy::PolicyData;
use crate::guarded::StoreData as _;

/// Facts a policy may ask for by a name of its own making, in one call.
const MOST_NAMED_FACTS: u32 = 10_000;
/// The longest such name, in bytes.
const LONGEST_NAME: usize = 1024;

/// Stands for the subject in a guest. There is one at a time, in the store.
#[derive(Debug)]
#[expect(
    unreachable_pub,
    reason = "the generated bindings make it part of their own"
)]
pub struct SubjectHandle;

type Handle = Resource<SubjectHandle>;

impl PolicyData {
    /// Notes that a fact was read and gives the subject to read it from.
    fn read(&mut self, fact: Fact) -> wasmtime::Result<&domain::Subject> {
        self.facts_read.note(fact);
        match &self.subject {
            Some(subject) => Ok(subject),
            None => wasmtime::bail!("there is no subject outside of `evaluate`"),
        }
    }

    /// Notes a fact whose name the guest made up, as far as that goes.
    fn read_named(
        &mut self,
        names: &[&str],
        fact: impl FnOnce() -> Fact,
    ) -> wasmtime::Result<&domain::Subject> {
        self.named_facts += 1;
        let too_long = names.iter().any(|name| name.len() > LONGEST_NAME);
        if too_long || self.named_facts > MOST_NAMED_FACTS {
            self.meter().exceeded = Some("too many facts, or too long a name of one");
            wasmtime::bail!("too many facts, or too long a name of one");
        }
        self.read(fact())
    }

    /// Reads from the device record, giving the empty value where there is none.
    fn device_fact<T: Default>(
        &mut self,
        fact: Fact,
        value: impl FnOnce(&Device) -> T,
    ) -> wasmtime::Result<T> {
        let device = self.read(fact)?.device();
        Ok(device.map(|device| value(device)).unwrap_or_default())
    }
}

impl facts::Host for PolicyData {}

impl facts::HostSubject for PolicyData {
    fn now(&mut self, _: Handle) -> wasmtime::Result<u64> {
        Ok(self.read(Fact::Now)?.now.as_millis())
    }

    fn connection(&mut self, _: Handle) -> wasmtime::Result<facts::Connection> {
        let connection = &self.read(Fact::Connection)?.connection;
        Ok(facts::Connection {
            medium: medium(connection.medium),
            authentication: authentication(connection.authentication),
            client: connection.client.to_string(),
            nas: connection.nas.clone(),
            attachment: connection.attachment.clone(),
            location: connection.location.clone(),
            mac: connection.mac.map(|mac| mac.to_string()),
            mac_randomised: connection
                .mac
                .is_some_and(domain::MacAddress::is_locally_administered),
        })
    }

    fn requested_ids(&mut self, _: Handle) -> wasmtime::Result<Vec<device::DeviceId>> {
        let subject = self.read(Fact::RequestedIdentifiers)?;
        Ok(subject.requested.iter().map(id_to_wit).collect())
    }

    fn absence(&mut self, _: Handle) -> wasmtime::Result<Option<facts::Absence>> {
        Ok(self.read(Fact::Absence)?.absence().map(absence))
    }

    fn sources(&mut self, _: Handle) -> wasmtime::Result<Vec<facts::SourceReport>> {
        let subject = self.read(Fact::Sources)?;
        let reports = subject.sources.iter().map(|report| facts::SourceReport {
            name: report.name.to_string(),
            outcome: outcome(report.outcome),
            fetched_at: report.fetched_at.map(Timestamp::as_millis),
            stale: report.stale,
        });
        Ok(reports.collect())
    }

    fn ids(&mut self, _: Handle) -> wasmtime::Result<Vec<device::DeviceId>> {
        self.device_fact(Fact::Identifiers, |device| {
            device.ids.iter().map(id_to_wit).collect()
        })
    }

    fn enrollment(&mut self, _: Handle) -> wasmtime::Result<device::Enrollment> {
        let known = self.device_fact(Fact::Enrollment, |device| device.enrollment)?;
        Ok(enrollment_to_wit(known))
    }

    fn compliance(&mut self, _: Handle) -> wasmtime::Result<device::Compliance> {
        let subject = self.read(Fact::Compliance)?;
        Ok(match subject.device() {
            Some(device) => compliance_to_wit(&device.compliance),
            None => compliance_to_wit(&domain::Compliance::default()),
        })
    }

    fn posture(&mut self, _: Handle) -> wasmtime::Result<device::Posture> {
        let known = self.device_fact(Fact::Posture, |device| device.posture)?;
        Ok(posture_to_wit(known))
    }

    fn ownership(&mut self, _: Handle) -> wasmtime::Result<device::Ownership> {
        let known = self.device_fact(Fact::Ownership, |device| device.ownership)?;
        Ok(ownership_to_wit(known))
    }

    fn os(&mut self, _: Handle) -> wasmtime::Result<Option<device::OperatingSystem>> {
        self.device_fact(Fact::OperatingSystem, |device| {
            device.os.as_ref().map(os_to_wit)
        })
    }

    fn user(&mut self, _: Handle) -> wasmtime::Result<Option<device::User>> {
        self.device_fact(Fact::User, |device| device.user.as_ref().map(user_to_wit))
    }

    fn last_seen(&mut self, _: Handle) -> wasmtime::Result<Option<u64>> {
        self.device_fact(Fact::LastSeen, |device| {
            device.last_seen.map(Timestamp::as_millis)
        })
    }

    fn attribute(&mut self, _: Handle, name: String) -> wasmtime::Result<Option<device::Value>> {
        let fact = || Fact::Attribute(name.as_str().into());
        let device = self.read_named(&[&name], fact)?.device();
        let value = device.and_then(|device| device.attribute(&name));
        Ok(value.map(value_to_wit))
    }

    fn attribute_names(&mut self, _: Handle, prefix: String) -> wasmtime::Result<Vec<String>> {
        let fact = || Fact::AttributeNames(prefix.as_str().into());
        let device = self.read_named(&[&prefix], fact)?.device();
        let attributes = device.into_iter().flat_map(|device| &device.attributes);
        let names = attributes.map(|attribute| &attribute.name);
        Ok(names
            .filter(|name| name.starts_with(&prefix))
            .cloned()
            .collect())
    }

    fn in_list(
        &mut self,
        _: Handle,
        name: String,
        member: String,
    ) -> wasmtime::Result<Option<bool>> {
        let fact = || Fact::ListMembership {
            list: name.as_str().into(),
            member: member.as_str().into(),
        };
        let subject = self.read_named(&[&name, &member], fact)?;
        Ok(subject.lists.contains(&name, &member))
    }

    fn drop(&mut self, _: Handle) -> wasmtime::Result<()> {
        // Only lent to the guest; the store holds it.
        Ok(())
    }
}

fn medium(medium: domain::Medium) -> facts::Medium {
    match medium {
        domain::Medium::Unknown => facts::Medium::Unknown,
        domain::Medium::Wired => facts::Medium::Wired,
        domain::Medium::Wireless => facts::Medium::Wireless,
        domain::Medium::Vpn => facts::Medium::Vpn,
    }
}

fn authentication(authentication: domain::Authentication) -> facts::Authentication {
    match authentication {
        domain::Authentication::Unknown => facts::Authentication::Unknown,
        domain::Authentication::None => facts::Authentication::None,
        domain::Authentication::MacBypass => facts::Authentication::MacBypass,
        domain::Authentication::EapTls => facts::Authentication::EapTls,
        domain::Authentication::EapOther => facts::Authentication::EapOther,
        domain::Authentication::Web => facts::Authentication::Web,
    }
}

fn absence(absence: domain::Absence) -> facts::Absence {
    match absence {
        domain::Absence::UnknownDevice => facts::Absence::UnknownDevice,
        domain::Absence::SourcesUnavailable => facts::Absence::SourcesUnavailable,
        domain::Absence::Ambiguous => facts::Absence::Ambiguous,
    }
}

fn outcome(outcome: domain::SourceOutcome) -> facts::SourceOutcome {
    match outcome {
        domain::SourceOutcome::Found => facts::SourceOutcome::Found,
        domain::SourceOutcome::UnknownDevice => facts::SourceOutcome::UnknownDevice,
        domain::SourceOutcome::Ambiguous => facts::SourceOutcome::Ambiguous,
        domain::SourceOutcome::Failed => facts::SourceOutcome::Failed,
        domain::SourceOutcome::Skipped => facts::SourceOutcome::Skipped,
    }
}

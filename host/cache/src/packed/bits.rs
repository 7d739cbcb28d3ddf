//! What takes a few bits: states, and which parts of a device there are.

use portreeve_domain::{
    Compliance, ComplianceState, Device, Enrollment, Identifier, OperatingSystem, Ownership,
    Posture, Timestamp, Tristate, User,
};

use super::PackedError;

/// Bytes that the bits take.
pub(super) const SIZE: usize = 6;

/// A value of a few bits. The numbers are in stores: never change them.
pub(super) trait Code: Copy + Sized {
    const WIDTH: u32;
    fn code(self) -> u64;
    fn of(code: u64) -> Option<Self>;
}

macro_rules! code {
    ($type:ty, $width:literal, $($variant:path = $number:literal),+ $(,)?) => {
        impl Code for $type {
            const WIDTH: u32 = $width;

            fn code(self) -> u64 {
                match self {
                    $($variant => $number,)+
                }
            }

            fn of(code: u64) -> Option<Self> {
                match code {
                    $($number => Some($variant),)+
                    _ => None,
                }
            }
        }
    };
}

impl Code for bool {
    const WIDTH: u32 = 1;

    fn code(self) -> u64 {
        u64::from(self)
    }

    fn of(code: u64) -> Option<Self> {
        Some(code != 0)
    }
}

code!(
    ComplianceState,
    3,
    ComplianceState::Unknown = 0,
    ComplianceState::Compliant = 1,
    ComplianceState::NonCompliant = 2,
    ComplianceState::InGracePeriod = 3,
    ComplianceState::NotEvaluated = 4,
    ComplianceState::Conflict = 5,
    ComplianceState::Failed = 6,
);
code!(
    Enrollment,
    3,
    Enrollment::Unknown = 0,
    Enrollment::NotEnrolled = 1,
    Enrollment::Pending = 2,
    Enrollment::Enrolled = 3,
    Enrollment::Retired = 4,
);
code!(
    Ownership,
    2,
    Ownership::Unknown = 0,
    Ownership::Corporate = 1,
    Ownership::Personal = 2,
    Ownership::Shared = 3,
);
code!(
    Tristate,
    2,
    Tristate::Unknown = 0,
    Tristate::No = 1,
    Tristate::Yes = 2,
);

/// How a point in time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Time {
    None,
    Seconds,
    Millis,
}

code!(Time, 2, Time::None = 0, Time::Seconds = 1, Time::Millis = 2,);

/// How the device's name is written. A computer's is its host name, which is an
/// identifier in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    None,
    Own,
    Hostname,
    UpperHostname,
}

code!(
    Name,
    2,
    Name::None = 0,
    Name::Own = 1,
    Name::Hostname = 2,
    Name::UpperHostname = 3,
);

impl Name {
    pub(super) fn of_device(device: &Device) -> Self {
        let Some(name) = device.name.as_deref() else {
            return Self::None;
        };
        let hostname = device.ids.iter().find_map(|id| match id {
            Identifier::Hostname(hostname) => Some(&**hostname),
            _ => None,
        });
        match hostname {
            Some(hostname) if hostname == name => Self::Hostname,
            Some(hostname) if hostname.to_ascii_uppercase() == name => Self::UpperHostname,
            _ => Self::Own,
        }
    }
}

impl Time {
    pub(super) const fn of_timestamp(at: Option<Timestamp>) -> Self {
        match at {
            None => Self::None,
            Some(at) if at.as_millis() % 1_000 == 0 => Self::Seconds,
            Some(_) => Self::Millis,
        }
    }
}

/// Which parts of a device follow its names, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent of each other, one for each part"
)]
pub(super) struct Parts {
    pub(super) evaluated_at: Time,
    pub(super) grace_until: Time,
    pub(super) failing: bool,
    pub(super) user_id: bool,
    pub(super) principal_name: bool,
    pub(super) display_name: bool,
    pub(super) groups: bool,
    /// The family, which is there if there is an operating system.
    pub(super) os: bool,
    pub(super) version: bool,
    pub(super) build: bool,
    pub(super) patch_level: bool,
    pub(super) manufacturer: bool,
    pub(super) model: bool,
    pub(super) name: Name,
    pub(super) enrolled_at: Time,
    pub(super) last_seen: Time,
    pub(super) attributes: bool,
}

/// The bits of a device.
pub(super) fn of(device: &Device) -> [u8; SIZE] {
    let mut bits = Bits::default();
    // The first, for it is read alone.
    bits.put(device.compliance.state);
    bits.put(device.enrollment);
    bits.put(device.ownership);
    let Posture {
        disk_encrypted,
        screen_lock,
        jailbroken,
        firewall,
        antivirus,
        secure_boot,
    } = device.posture;
    for answer in [
        disk_encrypted,
        screen_lock,
        jailbroken,
        firewall,
        antivirus,
        secure_boot,
    ] {
        bits.put(answer);
    }
    bits.put(Time::of_timestamp(device.compliance.evaluated_at));
    bits.put(Time::of_timestamp(device.compliance.grace_until));
    bits.put(!device.compliance.failing.is_empty());
    let user = device.user.as_ref();
    bits.put(user.is_some());
    bits.put(user.is_some_and(|user| user.id.is_some()));
    bits.put(user.is_some_and(|user| user.principal_name.is_some()));
    bits.put(user.is_some_and(|user| user.display_name.is_some()));
    bits.put(user.is_some_and(|user| !user.groups.is_empty()));
    let os = device.os.as_ref();
    bits.put(os.is_some());
    bits.put(os.is_some_and(|os| os.version.is_some()));
    bits.put(os.is_some_and(|os| os.build.is_some()));
    bits.put(os.is_some_and(|os| os.patch_level.is_some()));
    bits.put(device.manufacturer.is_some());
    bits.put(device.model.is_some());
    bits.put(Name::of_device(device));
    bits.put(Time::of_timestamp(device.enrolled_at));
    bits.put(Time::of_timestamp(device.last_seen));
    bits.put(!device.attributes.is_empty());
    let [bytes @ .., _, _] = bits.bits.to_le_bytes();
    bytes
}

/// The device as far as its bits say it, and which parts follow.
pub(super) fn read(bytes: [u8; SIZE]) -> Result<(Device, Parts), PackedError> {
    let mut bits = Bits::new(bytes);
    let state = bits.take()?;
    let enrollment = bits.take()?;
    let ownership = bits.take()?;
    let posture = Posture {
        disk_encrypted: bits.take()?,
        screen_lock: bits.take()?,
        jailbroken: bits.take()?,
        firewall: bits.take()?,
        antivirus: bits.take()?,
        secure_boot: bits.take()?,
    };
    let evaluated_at = bits.take()?;
    let grace_until = bits.take()?;
    let failing = bits.take()?;
    let user: bool = bits.take()?;
    let (user_id, principal_name) = (bits.take()?, bits.take()?);
    let (display_name, groups) = (bits.take()?, bits.take()?);
    let os: bool = bits.take()?;
    let (version, build, patch_level) = (bits.take()?, bits.take()?, bits.take()?);
    let parts = Parts {
        evaluated_at,
        grace_until,
        failing,
        user_id,
        principal_name,
        display_name,
        groups,
        os,
        version,
        build,
        patch_level,
        manufacturer: bits.take()?,
        model: bits.take()?,
        name: bits.take()?,
        enrolled_at: bits.take()?,
        last_seen: bits.take()?,
        attributes: bits.take()?,
    };
    let orphans = (!user && (user_id || principal_name || display_name || groups))
        || (!os && (version || build || patch_level));
    if orphans || bits.bits != 0 {
        return Err(PackedError::Damaged);
    }
    let device = Device {
        enrollment,
        compliance: Compliance {
            state,
            ..Compliance::default()
        },
        ownership,
        posture,
        user: user.then(User::default),
        os: os.then(OperatingSystem::default),
        ..Device::default()
    };
    Ok((device, parts))
}

/// The state of compliance alone.
pub(super) fn compliance_state(bytes: [u8; SIZE]) -> Result<ComplianceState, PackedError> {
    Bits::new(bytes).take()
}

#[derive(Debug, Default)]
struct Bits {
    bits: u64,
    count: u32,
}

impl Bits {
    const fn new(bytes: [u8; SIZE]) -> Self {
        let mut all = [0; 8];
        let [low @ .., _, _] = &mut all;
        *low = bytes;
        Self {
            bits: u64::from_le_bytes(all),
            count: 0,
        }
    }

    fn put<T: Code>(&mut self, value: T) {
        self.bits |= value.code() << self.count;
        self.count += T::WIDTH;
    }

    fn take<T: Code>(&mut self) -> Result<T, PackedError> {
        let code = self.bits & ((1 << T::WIDTH) - 1);
        self.bits >>= T::WIDTH;
        T::of(code).ok_or(PackedError::Damaged)
    }
}

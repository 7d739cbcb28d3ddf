//! What Graph says about devices, read without copying.
//!
//! A page holds a thousand devices of fifty properties, so text is borrowed from
//! the answer. Values are read loosely: one property of another kind than the
//! documented one must not make a whole fleet unreadable.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// One answer of the list.
#[derive(Debug, Deserialize)]
pub(super) struct Page<'a> {
    #[serde(borrow)]
    pub(super) value: Vec<ManagedDevice<'a>>,
    #[serde(borrow, default, rename = "@odata.nextLink")]
    pub(super) next: Scalar<'a>,
    #[serde(borrow, default, rename = "@odata.count")]
    pub(super) count: Scalar<'a>,
}

/// Any JSON value; what is no single value reads as [`Scalar::Null`].
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Scalar<'a> {
    #[default]
    Null,
    Boolean(bool),
    /// Numbers below zero or with a fraction are nothing that is expected.
    Number(u64),
    Text(Cow<'a, str>),
}

impl Scalar<'_> {
    /// Text that says something.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()).filter(|text| !text.is_empty()),
            _ => None,
        }
    }

    /// A yes or no, also where it is written as text.
    pub(super) fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(*value),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A number, also where it is written as text.
    pub(super) fn number(&self) -> Option<u64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Boolean(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Number(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Null)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Null)
    }
}

/// Defines the record and the list of its properties from one place: what is
/// read is what is asked for.
macro_rules! managed_device {
    ($($field:ident = $property:literal),+ $(,)?) => {
        /// `managedDevice` of Graph v1.0, as far as it is asked for.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default)]
        pub(super) struct ManagedDevice<'a> {
            $(#[serde(borrow, rename = $property)] pub(super) $field: Scalar<'a>,)+
            /// Measured boot. Only some tenants and platforms have it.
            #[serde(borrow, rename = "deviceHealthAttestationState")]
            health: Option<Loosely<Health<'a>>>,
            /// What Configuration Manager manages. Only devices of both have it.
            #[serde(borrow, rename = "configurationManagerClientEnabledFeatures")]
            workloads: Option<Loosely<Workloads<'a>>>,
        }

        /// The properties to ask for, as `$select` wants them. Some are null in
        /// a list unless they are named.
        pub(super) const SELECT: &str = concat!(
            $($property, ",",)+
            "configurationManagerClientEnabledFeatures,deviceHealthAttestationState"
        );
    };
}

managed_device! {
    id = "id",
    entra_device_id = "azureADDeviceId",
    entra_registered = "azureADRegistered",
    android_patch_level = "androidSecurityPatchLevel",
    grace_until = "complianceGracePeriodExpirationDateTime",
    compliance_state = "complianceState",
    category = "deviceCategoryDisplayName",
    enrollment_type = "deviceEnrollmentType",
    name = "deviceName",
    registration_state = "deviceRegistrationState",
    eas_activated = "easActivated",
    enrolled_at = "enrolledDateTime",
    enrollment_profile = "enrollmentProfileName",
    ethernet_mac = "ethernetMacAddress",
    exchange_access_state = "exchangeAccessState",
    exchange_access_state_reason = "exchangeAccessStateReason",
    exchange_last_sync = "exchangeLastSuccessfulSyncDateTime",
    imei = "imei",
    encrypted = "isEncrypted",
    supervised = "isSupervised",
    jailbroken = "jailBroken",
    last_sync = "lastSyncDateTime",
    owner = "managedDeviceOwnerType",
    agent = "managementAgent",
    certificate_expires = "managementCertificateExpirationDate",
    management_state = "managementState",
    manufacturer = "manufacturer",
    meid = "meid",
    model = "model",
    os = "operatingSystem",
    os_version = "osVersion",
    threat_state = "partnerReportedThreatState",
    needs_approval = "requireUserEnrollmentApproval",
    serial = "serialNumber",
    carrier = "subscriberCarrier",
    udid = "udid",
    user_display_name = "userDisplayName",
    user_id = "userId",
    user_principal_name = "userPrincipalName",
    wifi_mac = "wiFiMacAddress",
}

impl<'a> ManagedDevice<'a> {
    /// Measured boot, if it is told.
    pub(super) fn health(&self) -> Option<&Health<'a>> {
        match &self.health {
            Some(Loosely::Told(health)) => Some(health),
            Some(Loosely::Otherwise(_)) | None => None,
        }
    }

    /// What Configuration Manager manages, if that is told.
    pub(super) fn workloads(&self) -> Option<&Workloads<'a>> {
        match &self.workloads {
            Some(Loosely::Told(workloads)) => Some(workloads),
            Some(Loosely::Otherwise(_)) | None => None,
        }
    }
}

/// The part of `configurationManagerClientEnabledFeatures` that says whose word
/// on compliance counts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Workloads<'a> {
    #[serde(borrow, rename = "compliancePolicy")]
    pub(super) compliance: Scalar<'a>,
}

/// An object, or something else that is not looked at.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Loosely<T> {
    Told(T),
    Otherwise(IgnoredAny),
}

/// The parts of `deviceHealthAttestationState` that a decision may rest on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Health<'a> {
    #[serde(borrow, rename = "secureBoot")]
    pub(super) secure_boot: Scalar<'a>,
    #[serde(borrow, rename = "bitLockerStatus")]
    pub(super) bitlocker: Scalar<'a>,
    #[serde(borrow, rename = "codeIntegrity")]
    pub(super) code_integrity: Scalar<'a>,
    #[serde(borrow, rename = "bootDebugging")]
    pub(super) boot_debugging: Scalar<'a>,
    #[serde(borrow, rename = "operatingSystemKernelDebugging")]
    pub(super) kernel_debugging: Scalar<'a>,
    #[serde(borrow, rename = "testSigning")]
    pub(super) test_signing: Scalar<'a>,
    #[serde(borrow, rename = "safeMode")]
    pub(super) safe_mode: Scalar<'a>,
    #[serde(borrow, rename = "earlyLaunchAntiMalwareDriverProtection")]
    pub(super) early_launch_antimalware: Scalar<'a>,
    #[serde(borrow, rename = "virtualSecureMode")]
    pub(super) virtual_secure_mode: Scalar<'a>,
    #[serde(borrow, rename = "tpmVersion")]
    pub(super) tpm_version: Scalar<'a>,
    #[serde(borrow, rename = "issuedDateTime")]
    pub(super) issued_at: Scalar<'a>,
}

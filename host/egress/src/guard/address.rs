//! Which addresses a connection may go to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// IPv4 networks that are not the public Internet: IANA's special-purpose registry, multicast and
/// the former class E.
const SPECIAL_V4: [Ipv4Net; 15] = [
    Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 8),
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
    Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(169, 254, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 0, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 0, 2, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 88, 99, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 18, 0, 0), 15),
    Ipv4Net::new_assert(Ipv4Addr::new(198, 51, 100, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(203, 0, 113, 0), 24),
    Ipv4Net::new_assert(Ipv4Addr::new(224, 0, 0, 0), 4),
    Ipv4Net::new_assert(Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The only IPv6 space that is handed out for the public Internet.
const GLOBAL_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// Parts of [`GLOBAL_V6`] that are not public hosts: protocol assignments with Teredo, benchmarking
/// and ORCHID (`2001::/23`), documentation, and 6to4, which carries an IPv4 address.
const SPECIAL_V6: [Ipv6Net; 4] = [
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    Ipv6Net::new_assert(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    Ipv6Net::new_assert(Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// The well-known prefix of NAT64 (RFC 6052); the last 32 bits are the IPv4 address meant.
const NAT64: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96);

/// Whether the address belongs to a host on the public Internet.
///
/// Addresses that carry an IPv4 address (IPv4-mapped, NAT64) are judged by that address.
pub fn is_public(address: IpAddr) -> bool {
    match effective(address) {
        IpAddr::V4(address) => !SPECIAL_V4.iter().any(|network| network.contains(&address)),
        IpAddr::V6(address) => {
            GLOBAL_V6.contains(&address)
                && !SPECIAL_V6.iter().any(|network| network.contains(&address))
        }
    }
}

/// The address that packets end up at.
fn effective(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if NAT64.contains(&address) => {
            let [.., a, b, c, d] = address.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        address => address,
    }
}

/// Public addresses and the private networks that an operator granted.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressGuard {
    granted: Vec<IpNet>,
}

impl AddressGuard {
    pub(crate) fn new(granted: Vec<IpNet>) -> Self {
        Self { granted }
    }

    /// Whether a connection to the address may be opened.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        is_public(address) || self.is_granted(address)
    }

    /// Whether the address lies in a private network that an operator granted.
    pub(crate) fn is_granted(&self, address: IpAddr) -> bool {
        let address = effective(address);
        self.granted
            .iter()
            .any(|network| network.contains(&address))
    }

    /// Keeps the addresses that may be used: the public ones, or, where there are none, the granted
    /// ones. `Err` is an address that was refused, if there was any at all.
    pub(crate) fn choose(
        &self,
        addresses: impl IntoIterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, Option<IpAddr>> {
        let mut public = Vec::new();
        let mut granted = Vec::new();
        let mut refused = None;
        for address in addresses {
            if is_public(address.ip()) {
                public.push(address);
            } else if self.is_granted(address.ip()) {
                granted.push(address);
            } else {
                refused.get_or_insert(address.ip());
            }
        }
        match (public.is_empty(), granted.is_empty()) {
            (false, _) => Ok(public),
            (true, false) => Ok(granted),
            (true, true) => Err(refused),
        }
    }
}

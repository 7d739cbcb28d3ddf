//! Who sends wrong credentials is answered ever more slowly.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// After the first failure. It doubles with each.
const FIRST: Duration = Duration::from_millis(50);
/// It grows no further.
const LONGEST: Duration = Duration::from_secs(2);
/// What is over after that is forgotten.
const MEMORY: Duration = Duration::from_mins(5);
/// Addresses that are remembered.
const MOST_ADDRESSES: usize = 4096;
/// Answers that are held back, from one address and in all. They hold
/// connections that others may need.
const MOST_HELD: u32 = 8;
const MOST_HELD_IN_ALL: u32 = 128;

/// Failures by the address they came from.
///
/// A right credential that can be recognised at once never gets here.
#[derive(Debug, Default)]
pub(super) struct Slowdown(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    addresses: HashMap<IpAddr, Failing>,
    held: u32,
}

#[derive(Debug)]
struct Failing {
    failures: u32,
    last: Instant,
    held: u32,
}

/// A request that is held back, until dropped.
#[derive(Debug)]
pub(super) struct Held {
    table: Arc<Mutex<Table>>,
    address: IpAddr,
    /// How long.
    pub(super) delay: Duration,
}

/// So many are held back that this one is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany;

impl Slowdown {
    /// One more failure. Its answer waits for the delay.
    pub(super) fn fail(&self, address: IpAddr, now: Instant) -> Result<Held, TooMany> {
        let address = network(address);
        let mut table = self.0.lock();
        table.make_room(address, now);
        let failing = table.addresses.entry(address).or_insert(Failing {
            failures: 0,
            last: now,
            held: 0,
        });
        if now.saturating_duration_since(failing.last) >= MEMORY {
            failing.failures = 0;
        }
        failing.failures = failing.failures.saturating_add(1);
        failing.last = now;
        self.hold(&mut table, address)
    }

    /// Before a credential is looked at that takes work. From where nothing
    /// went wrong there is nothing to wait for.
    pub(super) fn turn(&self, address: IpAddr, now: Instant) -> Result<Option<Held>, TooMany> {
        let address = network(address);
        let mut table = self.0.lock();
        let failing = table.addresses.get(&address);
        let is_failing =
            failing.is_some_and(|failing| now.saturating_duration_since(failing.last) < MEMORY);
        if is_failing {
            self.hold(&mut table, address).map(Some)
        } else {
            Ok(None)
        }
    }

    fn hold(&self, table: &mut Table, address: IpAddr) -> Result<Held, TooMany> {
        let held_in_all = table.held;
        let failing = table.addresses.get_mut(&address).ok_or(TooMany)?;
        if failing.held >= MOST_HELD || held_in_all >= MOST_HELD_IN_ALL {
            return Err(TooMany);
        }
        failing.held += 1;
        table.held += 1;
        let doublings = failing.failures.saturating_sub(1).min(16);
        Ok(Held {
            table: Arc::clone(&self.0),
            address,
            delay: FIRST.saturating_mul(1 << doublings).min(LONGEST),
        })
    }
}

impl Table {
    /// The address that failed longest ago makes room for another one.
    fn make_room(&mut self, address: IpAddr, now: Instant) {
        if self.addresses.len() < MOST_ADDRESSES || self.addresses.contains_key(&address) {
            return;
        }
        self.addresses.retain(|_, failing| {
            failing.held > 0 || now.saturating_duration_since(failing.last) < MEMORY
        });
        if self.addresses.len() < MOST_ADDRESSES {
            return;
        }
        let idle = self
            .addresses
            .iter()
            .filter(|(_, failing)| failing.held == 0);
        let oldest = idle.min_by_key(|(_, failing)| failing.last);
        if let Some(oldest) = oldest.map(|(address, _)| *address) {
            self.addresses.remove(&oldest);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut table = self.table.lock();
        table.held = table.held.saturating_sub(1);
        if let Some(failing) = table.addresses.get_mut(&self.address) {
            failing.held = failing.held.saturating_sub(1);
        }
    }
}

/// Whoever has one address of IPv6 has all of its /64 (RFC 6177).
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "192.0.2.1";

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn fail(slowdown: &Slowdown, from: &str, now: Instant) -> Option<u128> {
        let held = slowdown.fail(address(from), now).ok()?;
        Some(held.delay.as_millis())
    }

    #[test]
    fn delays_grow_for_each_address_alone_and_are_forgotten() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        for expected in [50, 100, 200, 400, 800, 1_600, 2_000, 2_000] {
            assert_eq!(fail(&slowdown, ONE, now), Some(expected));
        }
        assert_eq!(fail(&slowdown, "192.0.2.2", now), Some(50));
        assert_eq!(fail(&slowdown, "2001:db8::1", now), Some(50));
        assert_eq!(fail(&slowdown, "2001:db8::2:1", now), Some(100));
        assert_eq!(fail(&slowdown, "2001:db8:0:1::1", now), Some(50));
        assert_eq!(fail(&slowdown, "::ffff:192.0.2.2", now), Some(100));
        assert_eq!(fail(&slowdown, ONE, now + MEMORY), Some(50));
    }

    #[test]
    fn work_waits_only_where_something_went_wrong() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        fail(&slowdown, ONE, now);
        let turn = |from, now| slowdown.turn(address(from), now).unwrap();
        assert_eq!(turn(ONE, now).unwrap().delay, FIRST);
        assert!(turn("192.0.2.2", now).is_none());
        assert!(turn(ONE, now + MEMORY).is_none());
    }

    #[test]
    fn what_is_held_is_bounded() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        let mut held = Vec::new();
        for _ in 0..MOST_HELD {
            held.push(slowdown.fail(address(ONE), now).unwrap());
        }
        assert_eq!(slowdown.fail(address(ONE), now).unwrap_err(), TooMany);
        assert_eq!(slowdown.turn(address(ONE), now).unwrap_err(), TooMany);
        for host in 2..=MOST_HELD_IN_ALL / MOST_HELD {
            for _ in 0..MOST_HELD {
                let from = Ipv4Addr::from_bits(host).into();
                held.push(slowdown.fail(from, now).unwrap());
            }
        }
        assert!(slowdown.fail(address("192.0.2.9"), now).is_err());
        assert!(slowdown.turn(address("192.0.2.10"), now).unwrap().is_none());
        held.clear();
        assert!(slowdown.fail(address(ONE), now).is_ok());
        assert_eq!(slowdown.0.lock().held, 0);
    }

    #[test]
    fn addresses_are_bounded_and_the_oldest_goes() {
        let slowdown = Slowdown::default();
        let now = Instant::now();
        for host in 0..5_000 {
            let from = Ipv4Addr::from_bits(host).into();
            drop(slowdown.fail(from, now + Duration::from_millis(host.into())));
        }
        let table = slowdown.0.lock();
        assert_eq!(table.addresses.len(), MOST_ADDRESSES);
        let has = |host| {
            table
                .addresses
                .contains_key(&Ipv4Addr::from_bits(host).into())
        };
        assert!(has(4_999) && !has(0));
    }

    use std::net::Ipv4Addr;
}

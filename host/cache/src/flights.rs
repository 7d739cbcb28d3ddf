//! Many askers of one absent thing share one call.
//!
//! Whoever asks first gets a [`Pilot`] beside a [`Seat`], everyone else a seat.
//! The pilot belongs into a task that somebody owns, not into the asker: when
//! the asker leaves, the call goes on and its result reaches the others. A
//! pilot that is dropped without a result (its task was aborted or panicked)
//! tells every seat so, and the next asker starts anew.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;

/// Calls on the way, by key.
#[derive(Debug)]
pub struct Flights<K, V> {
    board: Arc<Board<K, V>>,
    most: usize,
}

#[derive(Debug)]
struct Board<K, V>(Mutex<HashMap<K, watch::Receiver<Option<V>>>>);

/// A place on a flight.
#[derive(Debug)]
pub struct Boarding<K: Eq + Hash, V> {
    /// Where the result arrives.
    pub seat: Seat<V>,
    /// Whoever gets it makes the call, in a task of its own. A flight may have
    /// landed since the asker looked in the cache, so the pilot looks again.
    pub pilot: Option<Pilot<K, V>>,
}

/// The duty to make the call.
#[derive(Debug)]
pub struct Pilot<K: Eq + Hash, V> {
    board: Arc<Board<K, V>>,
    key: K,
    result: watch::Sender<Option<V>>,
}

/// A claim to the result.
#[derive(Debug)]
pub struct Seat<V>(watch::Receiver<Option<V>>);

/// The most calls allowed are on the way; shed this asker or let it wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many calls are on the way")]
pub struct FlightsFull;

/// The call ended without a result. Asking anew starts another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call ended without a result")]
pub struct Lost;

impl<K: Clone + Eq + Hash, V: Clone> Flights<K, V> {
    /// At most `most` calls on the way at once; askers of one are not counted.
    pub fn new(most: usize) -> Self {
        Self {
            board: Arc::new(Board(Mutex::default())),
            most,
        }
    }

    /// A place on the flight for `key`, which may be a new one.
    pub fn board(&self, key: K) -> Result<Boarding<K, V>, FlightsFull> {
        let mut flights = self.board.0.lock();
        if let Some(flight) = flights.get(&key) {
            return Ok(Boarding {
                seat: Seat(flight.clone()),
                pilot: None,
            });
        }
        if flights.len() >= self.most {
            return Err(FlightsFull);
        }
        let (result, flight) = watch::channel(None);
        flights.insert(key.clone(), flight.clone());
        let board = Arc::clone(&self.board);
        Ok(Boarding {
            seat: Seat(flight),
            pilot: Some(Pilot { board, key, result }),
        })
    }

    /// Calls on the way.
    pub fn len(&self) -> usize {
        self.board.0.lock().len()
    }

    /// Whether no call is on the way.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K: Eq + Hash, V> Pilot<K, V> {
    /// What the call is for.
    pub const fn key(&self) -> &K {
        &self.key
    }

    /// Gives the result to every seat.
    pub fn land(self, result: V) {
        self.result.send_replace(Some(result));
    }
}

impl<K: Eq + Hash, V> Drop for Pilot<K, V> {
    fn drop(&mut self) {
        // Before the sender goes: nobody boards a flight that is over.
        self.board.0.lock().remove(&self.key);
    }
}

impl<V: Clone> Seat<V> {
    /// Waits for the result. The caller sets the deadline.
    pub async fn wait(mut self) -> Result<V, Lost> {
        let result = self.0.wait_for(Option::is_some).await.map_err(|_| Lost)?;
        result.clone().ok_or(Lost)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;
    use tokio::task::JoinSet;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_thousand_askers_make_one_call() {
        let flights = Arc::new(Flights::<&str, u32>::new(8));
        let calls = Arc::new(AtomicUsize::new(0));
        let boarded = Arc::new(AtomicUsize::new(0));
        let all_aboard = Arc::new(Notify::new());
        let mut askers = JoinSet::new();
        for _ in 0..1_000 {
            let (flights, calls) = (Arc::clone(&flights), Arc::clone(&calls));
            let (boarded, all_aboard) = (Arc::clone(&boarded), Arc::clone(&all_aboard));
            askers.spawn(async move {
                let Boarding { seat, pilot } = flights.board("device").unwrap();
                let mut call = JoinSet::new();
                if let Some(pilot) = pilot {
                    let all_aboard = Arc::clone(&all_aboard);
                    call.spawn(async move {
                        calls.fetch_add(1, Ordering::Relaxed);
                        all_aboard.notified().await;
                        pilot.land(7);
                    });
                }
                if boarded.fetch_add(1, Ordering::Relaxed) == 999 {
                    all_aboard.notify_one();
                }
                seat.wait().await
            });
        }
        let answers = askers.join_all().await;
        assert_eq!(answers, vec![Ok(7); 1_000]);
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(flights.is_empty());
    }

    #[tokio::test]
    async fn a_leader_that_leaves_strands_nobody() {
        let flights = Flights::<u8, u32>::new(1);
        let Boarding { seat, pilot } = flights.board(1).unwrap();
        let follower = flights.board(1).unwrap();
        assert!(follower.pilot.is_none());
        let mut calls = JoinSet::new();
        let go = Arc::new(Notify::new());
        let going = Arc::clone(&go);
        calls.spawn(async move {
            going.notified().await;
            pilot.unwrap().land(7);
        });
        // The asker that came first is cancelled, its task is not.
        drop(seat);
        go.notify_one();
        assert_eq!(follower.seat.wait().await, Ok(7));
    }

    #[tokio::test]
    async fn a_lost_flight_is_known_to_all_and_can_be_tried_again() {
        let flights = Flights::<u8, u32>::new(1);
        for panics in [true, false] {
            let Boarding { seat, pilot } = flights.board(1).unwrap();
            let follower = flights.board(1).unwrap().seat;
            let mut calls = JoinSet::new();
            calls.spawn(async move {
                let _pilot = pilot;
                assert!(!panics, "a panic on purpose");
                std::future::pending::<()>().await;
            });
            if !panics {
                calls.abort_all();
            }
            assert_eq!(seat.wait().await, Err(Lost));
            assert_eq!(follower.wait().await, Err(Lost));
            assert!(flights.is_empty());
        }
        let Boarding { seat, pilot } = flights.board(1).unwrap();
        pilot.unwrap().land(7);
        assert_eq!(seat.wait().await, Ok(7));
    }

    #[tokio::test]
    async fn flights_are_bounded_but_seats_are_not() {
        let flights = Flights::<u8, u32>::new(1);
        let first = flights.board(1).unwrap();
        assert_eq!(flights.board(2).unwrap_err(), FlightsFull);
        assert!(flights.board(1).unwrap().pilot.is_none());
        drop(first);
        assert!(flights.board(2).unwrap().pilot.is_some());
    }
}

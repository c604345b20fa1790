//! Who is connected, what they make us hold in memory, and who has to go when there is no room.
//!
//! A client that works never loses its seat to another. One goes that has not said hello,
//! the oldest first; else the one that has asked for nothing for the longest time. Memory is what a
//! request takes that has not arrived as a whole, and what a reply takes that is not read: when all
//! of it is in use, whoever has not moved a byte for the longest time goes, if that was long enough.
//! So clients that do nothing, or half of something, or do not read, keep nobody waiting for long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many connections at a time.
    pub connections: usize,
    /// So many bytes of memory for what is on its way, all connections together.
    pub memory: usize,
    /// How long somebody may hold memory without moving a byte while others need it.
    pub patience: Duration,
    /// How long a request may take from its first byte to its last, and a reply, or a part of one,
    /// from being ready to being read.
    pub transfer: Duration,
}

impl Limits {
    /// Returns the limits of a daemon that can serve `connections` at a time.
    #[must_use]
    pub fn new(connections: usize) -> Self {
        Self {
            connections,
            memory: 256 * 1024 * 1024,
            patience: Duration::from_secs(2),
            transfer: Duration::from_secs(60),
        }
    }
}

/// All seats.
#[derive(Clone, Debug)]
pub struct Seats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    room: Mutex<Room>,
    /// Somebody has gone, or has given memory back.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Room {
    places: HashMap<u64, Place>,
    next: u64,
    /// The sum of what all hold.
    held: usize,
}

#[derive(Debug)]
struct Place {
    doing: Doing,
    since: Instant,
    held: usize,
    /// When it last moved a byte of what it holds.
    moved: Instant,
    cut: CancellationToken,
}

/// What a client does; the first goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    Greeting,
    Idle,
    Working,
}

/// The seat of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub struct Seat(Account);

/// What the connection of a [`Seat`] holds. It outlives the seat without harm.
#[derive(Clone, Debug)]
pub struct Account {
    seats: Seats,
    id: u64,
    cut: CancellationToken,
}

/// This connection was cut off to make room for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut;

impl Seats {
    /// Returns seats of which none is taken.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let (room, changed) = (Mutex::default(), Notify::new());
        Self(Arc::new(Shared { limits, room, changed }))
    }

    /// Returns what clients may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// Takes a seat for a connection that has just been made. Where all are taken, somebody has to
    /// go; none when all of them work.
    pub async fn take(&self) -> Option<Seat> {
        loop {
            // Created before the look, so that it tells of whatever happens after it.
            let changed = self.0.changed.notified();
            {
                let mut room = self.lock();
                if room.places.len() < self.0.limits.connections {
                    return Some(self.seat(&mut room));
                }
                if !room.make_way() {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn seat(&self, room: &mut Room) -> Seat {
        let (id, now, cut) = (room.next, Instant::now(), CancellationToken::new());
        room.next += 1;
        let place =
            Place { doing: Doing::Greeting, since: now, held: 0, moved: now, cut: cut.clone() };
        room.places.insert(id, place);
        Seat(Account { seats: self.clone(), id, cut })
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        self.0.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Room {
    /// Cuts somebody off who does not work, unless one who was is still on the way out. Returns
    /// whether somebody goes.
    fn make_way(&mut self) -> bool {
        if self.places.values().any(|place| place.cut.is_cancelled()) {
            return true;
        }
        let idle = self.places.values().filter(|place| place.doing != Doing::Working);
        let longest = idle.min_by_key(|place| (place.doing, place.since));
        longest.inspect(|place| place.cut.cancel()).is_some()
    }

    /// Cuts off whoever holds memory and has not moved a byte since before `limit`, the longest of
    /// all; not when one who holds some is on the way out. Returns since when nobody has, otherwise.
    fn free_memory(&mut self, limit: Option<Instant>) -> Option<Instant> {
        let mut holders = self.places.values().filter(|place| place.held > 0);
        if holders.clone().any(|place| place.cut.is_cancelled()) {
            return None;
        }
        let longest = holders.by_ref().min_by_key(|place| place.moved)?;
        if limit.is_some_and(|limit| longest.moved <= limit) {
            longest.cut.cancel();
            return None;
        }
        Some(longest.moved)
    }
}

impl Seat {
    /// Notes that the client has asked for nothing, and that nothing of a request has arrived.
    pub fn is_idle(&self) {
        self.set(Doing::Idle);
    }

    /// Notes that a request has arrived, or begun to.
    ///
    /// # Errors
    ///
    /// When somebody else was given the seat before.
    pub fn works(&self) -> Result<(), Cut> {
        self.set(Doing::Working);
        if self.0.cut.is_cancelled() { Err(Cut) } else { Ok(()) }
    }

    /// Returns what accounts for the memory of this connection.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.0
    }

    fn set(&self, doing: Doing) {
        if let Some(place) = self.0.seats.lock().places.get_mut(&self.0.id) {
            place.doing = doing;
            place.since = Instant::now();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut room = self.0.seats.lock();
        if let Some(place) = room.places.remove(&self.0.id) {
            room.held -= place.held;
        }
        drop(room);
        self.0.cut.cancel();
        self.0.seats.0.changed.notify_waiters();
    }
}

impl Account {
    /// Waits until the connection is cut off, or has ended.
    pub async fn lost(&self) {
        self.cut.cancelled().await;
    }

    /// Returns what clients may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.seats.limits()
    }

    /// Waits until there is memory for so many bytes more, and takes it.
    ///
    /// # Errors
    ///
    /// When this connection is cut off first.
    pub async fn hold(&self, bytes: usize) -> Result<(), Cut> {
        loop {
            let changed = self.seats.0.changed.notified();
            if self.try_hold(bytes)? {
                return Ok(());
            }
            let patience = self.limits().patience;
            let moved = self.seats.lock().free_memory(Instant::now().checked_sub(patience));
            let again = async {
                match moved {
                    Some(moved) => tokio::time::sleep_until(moved + patience).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = changed => {}
                () = again => {}
                () = self.cut.cancelled() => return Err(Cut),
            }
        }
    }

    /// Takes memory for so many bytes more, unless it is all in use. Returns whether it has.
    ///
    /// # Errors
    ///
    /// When this connection is cut off.
    pub fn try_hold(&self, bytes: usize) -> Result<bool, Cut> {
        let mut room = self.seats.lock();
        // One alone may always go on, however large what it moves.
        if room.held > 0 && room.held.saturating_add(bytes) > self.limits().memory {
            return Ok(false);
        }
        let place = room.places.get_mut(&self.id).filter(|place| !place.cut.is_cancelled());
        let place = place.ok_or(Cut)?;
        place.held += bytes;
        place.moved = Instant::now();
        room.held += bytes;
        Ok(true)
    }

    /// Gives memory back: so many bytes have gone where they belong.
    pub fn release(&self, bytes: usize) {
        if bytes == 0 {
            return;
        }
        let mut room = self.seats.lock();
        // Without a place, all was given back when the seat was.
        if let Some(place) = room.places.get_mut(&self.id) {
            place.held -= bytes;
            place.moved = Instant::now();
            room.held -= bytes;
        }
        drop(room);
        self.seats.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests;

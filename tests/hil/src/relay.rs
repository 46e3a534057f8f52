//! A wire between two guests, on which frames can be lost.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use rand_core::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro128PlusPlus;
use tempfile::TempDir;

use crate::HilError;

/// The longest frame of an emulated network.
const LONGEST: usize = 64 * 1024;

/// How soon a direction notices that the wire is gone.
const LOOK: Duration = Duration::from_millis(100);

/// A wire between two guests. It can lose frames, chosen by a seed, and be cut and mended.
///
/// The frames to lose are fixed by the seed. When a frame comes depends on the guests' timing, so a run is not repeated bit by bit.
#[derive(Debug)]
pub struct Relay {
    folder: TempDir,
    state: Arc<State>,
    directions: Vec<JoinHandle<()>>,
}

/// An end of a [`Relay`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a wire has two ends")]
pub enum Side {
    /// One end.
    Left,
    /// The other.
    Right,
}

#[derive(Debug, Default)]
struct State {
    cut: AtomicBool,
    gone: AtomicBool,
    carried: AtomicU64,
    lost: AtomicU64,
}

impl Relay {
    /// A wire that loses nothing.
    ///
    /// # Errors
    ///
    /// [`HilError::System`].
    pub fn perfect() -> Result<Self, HilError> {
        Self::lossy(0, 0.0)
    }

    /// A wire that loses this share of the frames, from 0 to 1, each way.
    ///
    /// # Errors
    ///
    /// [`HilError::System`].
    pub fn lossy(seed: u64, share: f64) -> Result<Self, HilError> {
        let folder = tempfile::tempdir().map_err(HilError::system("making a folder for a wire"))?;
        let state = Arc::new(State::default());
        let open = |side| {
            let socket = UnixDatagram::bind(socket_of_relay(folder.path(), side))?;
            socket.set_read_timeout(Some(LOOK))?;
            // A guest that takes nothing must not keep the wire from ending.
            socket.set_write_timeout(Some(LOOK))?;
            Ok::<_, io::Error>(socket)
        };
        let failed = || HilError::system("making the sockets of a wire");
        let ends = [Side::Left, Side::Right].map(open);
        let [left, right] = ends;
        let (left, right) = (left.map_err(failed())?, right.map_err(failed())?);
        let mut directions = Vec::new();
        for (from, to, target, seed) in [
            (left.try_clone(), right.try_clone(), Side::Right, seed),
            (Ok(right), Ok(left), Side::Left, !seed),
        ] {
            let direction = Direction {
                from: from.map_err(failed())?,
                to: to.map_err(failed())?,
                target: socket_of_guest(folder.path(), target),
                random: Xoshiro128PlusPlus::seed_from_u64(seed),
                lost_below: (share * f64::from(u32::MAX)) as u32,
                state: Arc::clone(&state),
            };
            directions.push(thread::spawn(move || direction.run()));
        }
        Ok(Self {
            folder,
            state,
            directions,
        })
    }

    /// Loses everything from now on.
    pub fn cut(&self) {
        self.state.cut.store(true, Ordering::Relaxed);
    }

    /// Ends a [cut](Self::cut).
    pub fn mend(&self) {
        self.state.cut.store(false, Ordering::Relaxed);
    }

    /// How many frames went through.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.state.carried.load(Ordering::Relaxed)
    }

    /// How many frames were lost.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed)
    }

    /// The options of an emulator whose network this is.
    pub(crate) fn netdev(&self, side: Side) -> String {
        let guest = socket_of_guest(self.folder.path(), side);
        let relay = socket_of_relay(self.folder.path(), side);
        format!(
            "dgram,id=n0,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            guest.display(),
            relay.display()
        )
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.gone.store(true, Ordering::Relaxed);
        for direction in self.directions.drain(..) {
            let _ = direction.join();
        }
    }
}

/// One way of a wire.
struct Direction {
    from: UnixDatagram,
    to: UnixDatagram,
    target: PathBuf,
    random: Xoshiro128PlusPlus,
    lost_below: u32,
    state: Arc<State>,
}

impl Direction {
    fn run(mut self) {
        let mut frame = vec![0; LONGEST];
        while !self.state.gone.load(Ordering::Relaxed) {
            // Nothing came for a while: look whether the wire is still wanted.
            let Ok(length) = self.from.recv(&mut frame) else {
                continue;
            };
            let is_lost = self.random.next_u32() < self.lost_below;
            let is_lost = is_lost || self.state.cut.load(Ordering::Relaxed);
            let frame = frame.get(..length).unwrap_or_default();
            // A guest that is not there, or that has no room, loses the frame, as on any wire.
            if is_lost || self.to.send_to(frame, &self.target).is_err() {
                self.state.lost.fetch_add(1, Ordering::Relaxed);
            } else {
                self.state.carried.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn socket_of_guest(folder: &Path, side: Side) -> PathBuf {
    folder.join(match side {
        Side::Left => "left-guest",
        Side::Right => "right-guest",
    })
}

fn socket_of_relay(folder: &Path, side: Side) -> PathBuf {
    folder.join(match side {
        Side::Left => "left-relay",
        Side::Right => "right-relay",
    })
}

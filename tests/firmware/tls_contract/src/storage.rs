//! The memory of the guarded client, lent to one session after the other.

use core::cell::{Cell, UnsafeCell};

use critical_section::Mutex;
use tacket::testing::ReceiveHooks;
use tacket_tls::TlsStorage;

/// Room for what the server of this image sends, and for what a client does.
pub(crate) type Storage = TlsStorage<1536, 1024>;

static STORAGE: Lending = Lending {
    is_lent: Mutex::new(Cell::new(false)),
    storage: UnsafeCell::new(Storage::new()),
};

/// Memory that is lent as if for ever, and comes back all the same.
struct Lending {
    is_lent: Mutex<Cell<bool>>,
    storage: UnsafeCell<Storage>,
}

// SAFETY: whoever sets `is_lent`, in a critical section, has the storage alone.
unsafe impl Sync for Lending {}

/// Lends the storage for a session whose transport has the hooks.
///
/// # Panics
///
/// When the transport of the session before is not gone.
pub(crate) fn lend() -> (&'static mut Storage, GiveBack) {
    let was_lent = critical_section::with(|section| STORAGE.is_lent.borrow(section).replace(true));
    assert!(!was_lent, "one session at a time");
    // SAFETY: nobody else has it. The session before had its transport in it, which is gone: it is being dropped at most, and a session
    // does not look into its storage then.
    (unsafe { &mut *STORAGE.storage.get() }, GiveBack(()))
}

/// Takes the storage back when the transport of its session goes.
pub(crate) struct GiveBack(());

impl ReceiveHooks for GiveBack {
    fn closing(&mut self) {
        critical_section::with(|section| STORAGE.is_lent.borrow(section).set(false));
    }
}

//! Whether certificates may have expired.

use core::fmt;

use rustls_pki_types::UnixTime;

/// What knows the date.
///
/// ```
/// use core::cell::Cell;
/// use core::time::Duration;
///
/// use tacket_tls::CertificateClock;
/// use tacket_tls::pki_types::UnixTime;
///
/// /// Set by whoever has heard of the time.
/// struct Calendar(Cell<Option<Duration>>);
///
/// impl CertificateClock for Calendar {
///     fn now(&self) -> Option<UnixTime> {
///         self.0.get().map(UnixTime::since_unix_epoch)
///     }
/// }
/// # let calendar = Calendar(Cell::new(None));
/// # assert_eq!(calendar.now(), None);
/// ```
pub trait CertificateClock {
    /// The time now. `None`: it is not known yet, and nobody is trusted before it is.
    fn now(&self) -> Option<UnixTime>;
}

/// Whether certificates are checked for being valid now.
///
/// ```
/// # use tacket_tls::{CertificateClock, Validity};
/// # fn choose(calendar: Option<&dyn CertificateClock>) -> Validity<'_> {
/// match calendar {
///     Some(calendar) => Validity::Now(calendar),
///     None => Validity::Unchecked,
/// }
/// # }
/// ```
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Validity<'a> {
    /// They are, against this clock.
    Now(&'a dyn CertificateClock),
    /// They are not: this board has no clock, and accepts a certificate that expired years ago, with a key that leaked since.
    ///
    /// All certificates on the way to the authority have to have been valid at one moment, whichever that was.
    Unchecked,
}

impl fmt::Debug for Validity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Now(_) => "Now",
            Self::Unchecked => "Unchecked",
        })
    }
}

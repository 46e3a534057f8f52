//! What a client of TLS is told at the boot, because the boards of QEMU have none of it: whom to trust, the date, and random bytes.
//!
//! A product replaces this file. It has its roots in flash, a date from an RTC or from the network, and random bytes from the
//! generator of its chip.

use core::ops::Deref;
use core::str::FromStr;
use core::time::Duration;

use heapless::{String, Vec};
use rand_chacha::ChaCha20Rng;
use rand_core_0_6::SeedableRng as _;
use tacket::Clock as _;
use tacket_board::{argument, report};
use tacket_embassy::EmbassyClock;
use tacket_tls::pki_types::{CertificateDer, UnixTime};
use tacket_tls::{
    Anchors, CertificateClock, GuardTrust, GuardedClientConfig, MaxFragment, Validity,
};

/// The longest name that a certificate can be for.
const NAME: usize = 253;

/// Room for the certificate of an authority, in DER.
const ROOT: usize = 768;

/// Whom a client trusts.
pub struct Provision {
    /// The name that the server must prove to have.
    pub name: String<NAME>,
    root: Hex<ROOT>,
    /// The date.
    pub date: Date,
}

impl Provision {
    /// As the arguments `name`, `root`, a certificate in hexadecimal, and `now` have it.
    ///
    /// # Panics
    ///
    /// When an argument is missing or cannot be read.
    #[must_use]
    pub fn from_arguments() -> Self {
        Self {
            name: argument("name").expect("the argument name="),
            root: argument("root").expect("the argument root="),
            date: Date::from_argument(),
        }
    }

    /// The certificate of the authority.
    #[must_use]
    pub fn root(&self) -> CertificateDer<'_> {
        CertificateDer::from_slice(&self.root)
    }

    /// A client that trusts these authorities to say who has the name, and asks for records of that size.
    ///
    /// # Panics
    ///
    /// When the name is none.
    #[must_use]
    pub fn client<'c, const N: usize>(
        &'c self,
        anchors: &'c Anchors<'c, N>,
        max_fragment: Option<MaxFragment>,
    ) -> GuardedClientConfig<'c> {
        self.client_of(&self.name, anchors, max_fragment)
    }

    /// The same for another name.
    ///
    /// # Panics
    ///
    /// When that is none.
    #[must_use]
    pub fn client_of<'c, const N: usize>(
        &'c self,
        name: &'c str,
        anchors: &'c Anchors<'c, N>,
        max_fragment: Option<MaxFragment>,
    ) -> GuardedClientConfig<'c> {
        let trust = GuardTrust::in_roots(anchors.as_slice()).expect("an authority");
        let validity = Validity::Now(&self.date);
        let config = GuardedClientConfig::new(trust, name, validity).expect("a name");
        match max_fragment {
            Some(max_fragment) => config.with_max_fragment(max_fragment),
            None => config,
        }
    }
}

/// The date, by the clock that counts from the boot.
#[derive(Clone, Copy, Debug)]
pub struct Date {
    at_boot: Option<Duration>,
}

impl Date {
    /// That of the boot is the argument `now`, in seconds since 1970. Without it the date is not known, and no certificate is trusted.
    #[must_use]
    pub fn from_argument() -> Self {
        let at_boot = argument("now").map(Duration::from_secs);
        Self { at_boot }
    }
}

impl CertificateClock for Date {
    fn now(&self) -> Option<UnixTime> {
        let since_1970 = self.at_boot?.checked_add(EmbassyClock::new().now())?;
        Some(UnixTime::since_unix_epoch(since_1970))
    }
}

/// A generator of random bytes, which grows from the 32 of the argument `entropy`, in hexadecimal. `None`, which is reported: they are missing.
///
/// It is for one boot: whoever boots the image again with the same ones repeats its secrets.
#[must_use]
pub fn generator() -> Option<ChaCha20Rng> {
    let entropy = argument::<Hex<32>>("entropy");
    let seed = entropy.and_then(|entropy| (*entropy).try_into().ok());
    if seed.is_none() {
        report!("this board has no entropy, and was given none: entropy= needs 32 bytes");
    }
    seed.map(ChaCha20Rng::from_seed)
}

/// Up to `N` bytes, in hexadecimal.
pub struct Hex<const N: usize>(Vec<u8, N>);

impl<const N: usize> FromStr for Hex<N> {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
            return Err(());
        };
        let digit = |digit: u8| char::from(digit).to_digit(16).ok_or(());
        let mut bytes = Vec::new();
        for &[high, low] in pairs {
            let byte = digit(high)? << 4 | digit(low)?;
            bytes.push(byte as u8).map_err(|_| ())?;
        }
        Ok(Self(bytes))
    }
}

impl<const N: usize> Deref for Hex<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

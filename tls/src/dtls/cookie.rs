//! Cookies: proof that a client receives what is sent to its address, without remembering it.

use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use hmac::{Hmac, Mac as _};
use sha2_0_10::Sha256;

use super::hello::{COOKIE, ClientHello};

/// For how long a cookie is the one that is given. It is good for as long again.
const WINDOW: Duration = Duration::from_secs(30);

/// Makes and checks cookies. A cookie is for one address and one hello, for 30 to 60 seconds.
pub(super) struct Cookies {
    keyed: Hmac<Sha256>,
}

impl Cookies {
    /// `key` is secret, and of this endpoint's own: 32 random bytes.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        // As long as a block, which HMAC takes as it is: there is no key that it refuses.
        let mut block = [0; 64];
        for (place, byte) in block.iter_mut().zip(key) {
            *place = *byte;
        }
        Self {
            keyed: Hmac::new((&block).into()),
        }
    }

    /// Until when a cookie that is good now may be so.
    pub(super) fn good_until(now: Duration) -> Duration {
        let end = window(now).saturating_add(2);
        Duration::from_secs(end.saturating_mul(WINDOW.as_secs()))
    }

    /// The cookie that asks `peer` for its `hello` again.
    pub(super) fn make(
        &self,
        now: Duration,
        peer: SocketAddr,
        hello: &ClientHello<'_>,
    ) -> [u8; COOKIE] {
        self.over(window(now), peer, hello)
            .finalize()
            .into_bytes()
            .into()
    }

    /// Whether the cookie of `hello` was made for `peer`, in this window or in the one before.
    ///
    /// It takes as long for any cookie.
    pub(super) fn is_good(&self, now: Duration, peer: SocketAddr, hello: &ClientHello<'_>) -> bool {
        let window = window(now);
        let is_of = |window| {
            self.over(window, peer, hello)
                .verify_slice(hello.cookie)
                .is_ok()
        };
        let before = window.checked_sub(1).is_some_and(is_of);
        is_of(window) | before
    }

    fn over(&self, window: u64, peer: SocketAddr, hello: &ClientHello<'_>) -> Hmac<Sha256> {
        let mut keyed = self.keyed.clone();
        keyed.update(&window.to_be_bytes());
        match peer {
            SocketAddr::V4(peer) => {
                keyed.update(&[4]);
                keyed.update(&peer.ip().octets());
            }
            SocketAddr::V6(peer) => {
                keyed.update(&[6]);
                keyed.update(&peer.ip().octets());
                keyed.update(&peer.scope_id().to_be_bytes());
            }
        }
        keyed.update(&peer.port().to_be_bytes());
        // It ends where its own lengths say, so nothing of it can be taken for what follows.
        keyed.update(hello.before_cookie);
        keyed.update(hello.after_cookie);
        keyed
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the key: it is secret.
        f.debug_struct("Cookies").finish_non_exhaustive()
    }
}

const fn window(now: Duration) -> u64 {
    now.as_secs() / WINDOW.as_secs()
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::hello::tests::hello;
    use super::*;

    const NOW: Duration = Duration::from_secs(95);

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// The hello of a client that was asked for it at `NOW`, and repeats it.
    fn answered(cookies: &Cookies, peer: SocketAddr) -> Vec<u8> {
        let first = hello(b"");
        let asked = ClientHello::parse(&first).expect("a hello");
        hello(&cookies.make(NOW, peer, &asked))
    }

    fn is_good(cookies: &Cookies, now: Duration, peer: SocketAddr, datagram: &[u8]) -> bool {
        let hello = ClientHello::parse(datagram).expect("a hello");
        cookies.is_good(now, peer, &hello)
    }

    #[test]
    fn a_cookie_is_good_until_the_end_of_the_next_window() {
        let cookies = Cookies::new(&[1; 32]);
        let peer = address("192.0.2.1:4433");
        let datagram = answered(&cookies, peer);
        let at = |seconds| is_good(&cookies, Duration::from_secs(seconds), peer, &datagram);
        assert_eq!([90, 95, 119, 120, 149].map(at), [true; 5]);
        assert_eq!([0, 29, 59, 89, 150, 180, u64::MAX].map(at), [false; 7]);
        assert_eq!(Cookies::good_until(NOW), Duration::from_secs(150));
    }

    #[test]
    fn a_cookie_is_for_one_address() {
        let cookies = Cookies::new(&[1; 32]);
        let peers = [
            "192.0.2.1:4433",
            "192.0.2.1:4434",
            "192.0.2.2:4433",
            "[::ffff:192.0.2.1]:4433",
            "[fe80::1%1]:4433",
            "[fe80::1%2]:4433",
        ]
        .map(address);
        for made_for in peers {
            let datagram = answered(&cookies, made_for);
            for from in peers {
                let good = is_good(&cookies, NOW, from, &datagram);
                assert_eq!(good, from == made_for, "{made_for} {from}");
            }
        }
    }

    #[test]
    fn a_cookie_is_for_one_hello_and_changed_nowhere() {
        let cookies = Cookies::new(&[1; 32]);
        let peer = address("192.0.2.1:4433");
        let good = answered(&cookies, peer);
        assert!(is_good(&cookies, NOW, peer, &good));
        for place in 25..good.len() {
            let mut changed = good.clone();
            changed[place] ^= 1;
            if let Ok(hello) = ClientHello::parse(&changed) {
                assert!(!cookies.is_good(NOW, peer, &hello), "byte {place}");
            }
        }
    }

    #[test]
    fn a_cookie_that_is_cut_longer_or_missing_is_not_good() {
        let cookies = Cookies::new(&[1; 32]);
        let peer = address("192.0.2.1:4433");
        let first = hello(b"");
        let asked = ClientHello::parse(&first).expect("a hello");
        let cookie = cookies.make(NOW, peer, &asked);
        let mut longer = cookie.to_vec();
        longer.push(0);
        for wrong in [&[][..], &cookie[..31], &cookie[..16], &longer] {
            assert!(!is_good(&cookies, NOW, peer, &hello(wrong)), "{wrong:?}");
        }
    }

    #[test]
    fn another_endpoint_has_other_cookies() {
        let peer = address("192.0.2.1:4433");
        let datagram = answered(&Cookies::new(&[1; 32]), peer);
        let mut key = [1; 32];
        key[31] = 2;
        assert!(!is_good(&Cookies::new(&key), NOW, peer, &datagram));
    }
}

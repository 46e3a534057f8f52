//! How many bytes came from an address, and went there.

use core::net::SocketAddr;
use std::collections::HashMap;

const HANDSHAKE: u8 = 22;
const SERVER_HELLO: u8 = 2;
const HELLO_VERIFY_REQUEST: u8 = 3;
/// Where the body of a message begins, in the first record of a datagram.
const BODY: usize = 13 + 12;
/// Of a cookie, in several parts of a hello, so many bytes are together: a hello has few parts.
const TOGETHER: usize = 4;
/// How many cookies of an address are known.
const COOKIES: usize = 64;

/// Nobody is sent more than came from there, before it is proven that somebody there receives it.
#[derive(Debug, Default)]
pub(super) struct Accounts(HashMap<SocketAddr, Account>);

#[derive(Debug, Default)]
struct Account {
    came: usize,
    went: usize,
    /// What was sent there, and proves it when it comes back.
    cookies: Vec<Vec<u8>>,
    is_proven: bool,
}

impl Accounts {
    /// The server is given this.
    pub(super) fn came(&mut self, from: SocketAddr, datagram: &[u8]) {
        let account = self.0.entry(from).or_default();
        account.came += datagram.len();
        account.is_proven |= account.cookies.iter().any(|known| proves(datagram, known));
    }

    /// The server has sent this.
    pub(super) fn went(&mut self, to: SocketAddr, datagram: &[u8]) {
        let account = self.0.entry(to).or_default();
        if let Some(cookie) = cookie_in(datagram) {
            account.cookies.truncate(COOKIES - 1);
            account.cookies.insert(0, cookie.to_vec());
        }
        if !account.is_proven {
            account.went += datagram.len();
            let Account { came, went, .. } = *account;
            assert!(went <= came, "{went} bytes to {to} for {came}");
        }
    }

    /// The server knows nobody any more, so everybody has to prove it again.
    pub(super) fn start_anew(&mut self) {
        for account in self.0.values_mut() {
            (account.came, account.went, account.is_proven) = (0, 0, false);
        }
    }
}

/// Whether this is a hello with that cookie, or a part of one with a part of it.
fn proves(datagram: &[u8], cookie: &[u8]) -> bool {
    let has = |part: &[u8]| datagram.windows(part.len()).any(|window| window == part);
    let is_part = datagram.get(14..17) != datagram.get(22..25);
    match is_part {
        true => cookie.windows(TOGETHER).any(has),
        false => has(cookie),
    }
}

/// The cookie that a server asks for.
fn cookie_in(datagram: &[u8]) -> Option<&[u8]> {
    let kind = *datagram.get(13)?;
    let body = datagram.get(BODY..)?;
    match (*datagram.first()?, kind) {
        (HANDSHAKE, HELLO_VERIFY_REQUEST) => body.get(3..),
        // In an extension, behind the lengths of the extension and of the cookie.
        (HANDSHAKE, SERVER_HELLO) => {
            let extension = [0, 44, 0, 34, 0, 32];
            let mut places = body.windows(extension.len());
            let place = places.position(|window| window == extension)?;
            body.get(place + extension.len()..)?.get(..32)
        }
        _ => None,
    }
}

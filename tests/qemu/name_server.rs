//! Who tells guests what addresses a name has.

use core::net::{IpAddr, Ipv4Addr};
use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;
use std::io::ErrorKind;
use std::net::UdpSocket;
use std::sync::mpsc::{self, Sender, TryRecvError};
use std::thread;

/// The only port that stacks ask at.
const PORT: u16 = 53;

/// How often the server looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(50);

const HEADER: usize = 12;

/// A server that has the same addresses for every name. It ends when it is dropped.
pub(crate) struct NameServer {
    address: IpAddr,
    _needed: Sender<()>,
}

impl NameServer {
    /// Starts it, at an address of this machine that guests have a way to.
    pub(crate) fn start(addresses: &[Ipv4Addr]) -> Self {
        static COUNT: AtomicU8 = AtomicU8::new(1);
        let [high, low] = (std::process::id() as u16).to_be_bytes();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let address = IpAddr::from([127, high | 128, low, number]);
        let socket = UdpSocket::bind((address, PORT)).unwrap_or_else(|error| {
            let hint = if error.kind() == ErrorKind::PermissionDenied {
                "; the test needs port 53: run it as root, or `sysctl net.ipv4.ip_unprivileged_port_start=53`"
            } else {
                ""
            };
            panic!("a server of names at {address}: {error}{hint}")
        });
        socket.set_read_timeout(Some(LOOK)).unwrap();
        let (needed, look) = mpsc::channel();
        let addresses = addresses.to_vec();
        thread::spawn(move || {
            let mut question = [0; 512];
            while look.try_recv() == Err(TryRecvError::Empty) {
                if let Ok((length, asker)) = socket.recv_from(&mut question)
                    && let Some(question) = question.get(..length)
                    && let Some(answer) = answer(question, &addresses)
                {
                    // Who gets none asks again.
                    let _ = socket.send_to(&answer, asker);
                }
            }
        });
        Self {
            address,
            _needed: needed,
        }
    }

    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }
}

/// The answer to a question for addresses of a name (RFC 1035, 4.1).
fn answer(question: &[u8], addresses: &[Ipv4Addr]) -> Option<Vec<u8>> {
    let (header, rest) = question.split_at_checked(HEADER)?;
    let name = rest.iter().position(|&byte| byte == 0)? + 1;
    // Type A, class IN.
    let asked = rest.get(..name + 4)?;
    if !asked.ends_with(&[0, 1, 0, 1]) {
        return None;
    }
    let count = u16::try_from(addresses.len()).ok()?.to_be_bytes();
    let mut answer = header.get(..2)?.to_vec();
    // A response, with recursion; one question, and so many answers.
    answer.extend([0x81, 0x80, 0, 1, count[0], count[1], 0, 0, 0, 0]);
    answer.extend(asked);
    for address in addresses {
        // The name of the question, type A, class IN, for a minute, four bytes.
        answer.extend([0xC0, HEADER as u8, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address.octets());
    }
    Some(answer)
}

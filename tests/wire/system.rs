//! Connections as the system knows them: what of this process is open, and who waits.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::HashSet;
use std::fs;

/// In the tables of the system.
const CONNECTING: &str = "02";
const LISTENS: &str = "0A";

/// The sockets of this process that are connected to `port` somewhere, or about to be: to which address, and whether they are still connecting.
pub(crate) fn open_to(port: u16) -> Vec<(IpAddr, bool)> {
    let ours = sockets();
    let mut open = rows(|row| {
        (row.peer.1 == port && ours.contains(row.inode))
            .then(|| (ip(row.peer.0), row.state == CONNECTING))
    });
    open.sort_unstable();
    open
}

/// How many connections wait for the listener at `address` to accept them.
pub(crate) fn waiting_at(address: SocketAddr) -> usize {
    let waiting = rows(|row| {
        let listens = row.state == LISTENS && row.local.1 == address.port();
        (listens && ip(row.local.0) == address.ip()).then(|| number(row.received))
    });
    *waiting.first().expect("somebody listens there")
}

/// The sockets of this process, by what the tables have for them.
fn sockets() -> HashSet<String> {
    let descriptors = fs::read_dir("/proc/self/fd").expect("the descriptors");
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let inodes = targets.filter_map(|target| {
        let inode = target.to_str()?.strip_prefix("socket:[")?;
        Some(inode.strip_suffix(']')?.to_owned())
    });
    inodes.collect()
}

/// A socket of TCP. Addresses are left as they are: there can be many, of which few matter.
struct Row<'t> {
    local: (&'t str, u16),
    peer: (&'t str, u16),
    state: &'t str,
    received: &'t str,
    inode: &'t str,
}

/// What `look` finds in the tables.
fn rows<T>(look: impl Fn(&Row<'_>) -> Option<T>) -> Vec<T> {
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"];
    let tables = tables.map(|path| fs::read_to_string(path).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.filter_map(|row| look(&read(row).unwrap_or_else(|| panic!("no row: {row}"))))
        .collect()
}

/// Reads `sl local peer state sent:received timer retransmissions user timeout inode …`.
fn read(row: &str) -> Option<Row<'_>> {
    let mut cells = row.split_whitespace().skip(1);
    Some(Row {
        local: endpoint(cells.next()?)?,
        peer: endpoint(cells.next()?)?,
        state: cells.next()?,
        received: cells.next()?.split_once(':')?.1,
        inode: cells.nth(4)?,
    })
}

fn endpoint(text: &str) -> Option<(&str, u16)> {
    let (ip, port) = text.split_once(':')?;
    Some((ip, u16::from_str_radix(port, 16).ok()?))
}

fn number(digits: &str) -> usize {
    usize::from_str_radix(digits, 16).expect("a number")
}

/// An address, whose words of 32 bits are numbers of this machine.
fn ip(digits: &str) -> IpAddr {
    let bytes = |digits| {
        let word = u32::from_str_radix(digits, 16).expect("a number");
        word.to_ne_bytes()
    };
    match digits.len() {
        8 => Ipv4Addr::from(bytes(digits)).into(),
        _ => {
            let words = [0, 8, 16, 24].map(|at| bytes(&digits[at..at + 8]));
            let bytes: [u8; 16] = words.concat().try_into().expect("four words");
            Ipv6Addr::from(bytes).into()
        }
    }
}

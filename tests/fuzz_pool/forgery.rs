//! Packets that no stack would send.

const TCP: u8 = 6;
const UDP: u8 = 17;

/// What a TCP header consists of: where, and how many bytes.
const FIELDS: [(usize, usize); 8] = [
    (0, 2),  // source port
    (2, 2),  // destination port
    (4, 4),  // sequence number
    (8, 4),  // acknowledgement
    (12, 1), // length of the header
    (13, 1), // flags
    (14, 2), // window
    (18, 2), // urgent pointer
];

/// A change to a packet.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// Adds to a field of the TCP header. Flags are flipped.
    Add { field: usize, value: i8, shift: u8 },
    /// Flips bits of any byte.
    Flip { at: usize, bits: u8 },
    /// Cuts bytes off, or puts some behind.
    Resize(i8),
}

impl Edit {
    pub(super) fn new(kind: u8, low: u8, high: u8) -> Self {
        match kind % 16 {
            0 | 1 => Self::Resize(low.cast_signed()),
            2 | 3 => Self::Flip {
                at: usize::from(high % 80),
                bits: low,
            },
            field => Self::Add {
                field: usize::from(field % 8),
                value: low.cast_signed(),
                shift: high % 32,
            },
        }
    }

    fn apply(self, packet: &mut Vec<u8>) {
        match self {
            Self::Resize(more) => {
                packet.resize(packet.len().saturating_add_signed(more.into()), 0xa5);
            }
            Self::Flip { at, bits } => {
                if let Some(byte) = packet.get_mut(at) {
                    *byte ^= bits;
                }
            }
            Self::Add {
                field,
                value,
                shift,
            } => {
                let (Some((at, width)), Some(start)) = (FIELDS.get(field), payload(packet)) else {
                    return;
                };
                let Some(field) = packet.get_mut(start + at..start + at + width) else {
                    return;
                };
                let old = field
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
                let new = match width {
                    1 => old ^ u32::from(value.cast_unsigned()),
                    _ => old.wrapping_add_signed(i32::from(value) << shift),
                };
                for (byte, new) in field.iter_mut().rev().zip(new.to_le_bytes()) {
                    *byte = new;
                }
            }
        }
    }
}

/// A copy of `packet`, changed so that a stack can only find out from what it knows.
pub(super) fn forge(packet: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    edits.iter().for_each(|edit| edit.apply(&mut packet));
    make_consistent(&mut packet);
    packet
}

/// Sets lengths and checksums to what they should be, as far as there are any.
pub(super) fn make_consistent(packet: &mut [u8]) {
    let Some(start) = payload(packet) else { return };
    let total = packet.len();
    let is_ipv6 = start == 40;
    let (protocol, addresses) = match is_ipv6 {
        false => {
            set(packet, 2, total as u16);
            set(packet, 10, 0);
            let sum = checksum(packet.get(..start).unwrap_or_default(), 0);
            set(packet, 10, sum);
            (packet.get(9).copied(), packet.get(12..20))
        }
        true => {
            set(packet, 4, (total - start) as u16);
            (packet.get(6).copied(), packet.get(8..40))
        }
    };
    let at = match protocol {
        Some(TCP) => start + 16,
        Some(UDP) => start + 6,
        _ => return,
    };
    let pseudo = (total - start) as u64 + u64::from(protocol.unwrap_or_default());
    let pseudo = addresses.map_or(0, |addresses| pseudo + words(addresses));
    if protocol == Some(UDP) {
        set(packet, start + 4, (total - start) as u16);
    }
    set(packet, at, 0);
    let sum = checksum(packet.get(start..).unwrap_or_default(), pseudo);
    set(packet, at, sum);
}

/// Where the header of IP ends, if it is there.
fn payload(packet: &[u8]) -> Option<usize> {
    let first = packet.first()?;
    let start = match first >> 4 {
        4 => usize::from(first & 15) * 4,
        6 => 40,
        _ => return None,
    };
    (start >= 20 && start <= packet.len()).then_some(start)
}

fn set(packet: &mut [u8], at: usize, value: u16) {
    if let Some(place) = packet.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

fn words(data: &[u8]) -> u64 {
    let word = |pair: &[u8]| {
        let [high, low] = [0, 1].map(|index| pair.get(index).copied().unwrap_or_default());
        u64::from(u16::from_be_bytes([high, low]))
    };
    data.chunks(2).map(word).sum()
}

/// The checksum of RFC 1071.
fn checksum(data: &[u8], more: u64) -> u16 {
    let mut sum = more + words(data);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A SYN from 10.0.0.1 to 10.0.0.2, of TCP over version 4 of IP.
    fn syn() -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, TCP, 0, 0, 10, 0, 0, 1];
        packet.extend([10, 0, 0, 2, 0xc0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 0]);
        packet.extend([0x50, 2, 4, 0, 0, 0, 0, 0]);
        packet
    }

    #[test]
    fn a_consistent_packet_sums_up_to_nothing() {
        let mut packet = syn();
        packet.extend(b"odd");
        make_consistent(&mut packet);
        assert_eq!(packet[2..4], [0, 43]);
        assert_eq!(checksum(&packet[..20], 0), 0);
        let pseudo = words(&packet[12..20]) + 23 + u64::from(TCP);
        assert_eq!(checksum(&packet[20..], pseudo), 0);
    }

    #[test]
    fn edits_change_fields_bytes_and_the_length() {
        let sequence = Edit::Add {
            field: 2,
            value: -2,
            shift: 8,
        };
        let flags = Edit::Add {
            field: 5,
            value: 0x10,
            shift: 0,
        };
        let forged = forge(&syn(), &[sequence, flags, Edit::Resize(2)]);
        assert_eq!(forged[24..28], (1_u32.wrapping_sub(512)).to_be_bytes());
        assert_eq!((forged[33], &forged[40..]), (0x12, &[0xa5, 0xa5][..]));
    }
}

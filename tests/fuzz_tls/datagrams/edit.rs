//! Changes of a datagram.

use core::ops::Range;

use crate::fuzz_tls::input::Input;

/// The bytes before what a record has in it, and before what a message has.
const RECORD: usize = 13;
const MESSAGE: usize = 12;
/// In a record with a message: where a field begins, and how many bytes of it are changed. Of the longer ones, those are the last: the others are nearly always zero.
const FIELDS: [(usize, usize); 14] = [
    (0, 1),  // the type
    (1, 2),  // the version
    (3, 2),  // the epoch
    (5, 2),  // the number, its upper part
    (9, 2),  // and its lower part
    (11, 2), // the length
    (13, 1), // of a message: the kind
    (14, 1), // the length, its upper part
    (15, 2), // and its lower part
    (17, 2), // the number
    (20, 2), // where the part begins
    (23, 2), // how long it is
    (25, 2), // of a hello: the version
    (59, 2), // the length of its session and of its cookie
];
/// Where the random of a hello is.
const RANDOM: Range<usize> = 27..59;
/// No datagram is longer.
const LONGEST: usize = 1 << 14;

#[derive(Clone, Debug)]
pub(super) enum Edit {
    Flip {
        at: u16,
        bits: u8,
    },
    Cut(u16),
    Delete {
        at: u16,
        count: u8,
    },
    Insert {
        at: u16,
        bytes: Vec<u8>,
    },
    /// A field of a record is this, or this much more.
    Field {
        record: u8,
        field: u8,
        value: u16,
        adds: bool,
    },
    /// The lengths of the first record, and of the message in it, are what they are.
    Mend,
    /// It is the hello of another client.
    Random(u8),
    /// The message of the first record is in two, from here on in another one.
    Split(u16),
    LeaveOut(u8),
    Repeat(u8),
}

impl Edit {
    pub(super) fn parse(input: &mut Input<'_>) -> Self {
        match input.byte() % 14 {
            0 | 1 => Self::Flip {
                at: input.wide(),
                bits: input.byte(),
            },
            2 => Self::Cut(input.wide()),
            3 => Self::Delete {
                at: input.wide(),
                count: input.byte(),
            },
            4 => Self::Insert {
                at: input.wide(),
                bytes: input.counted_bytes(),
            },
            kind @ 5..=8 => Self::Field {
                record: input.byte(),
                field: input.byte(),
                value: match kind {
                    5 | 6 => u16::from(input.byte()),
                    _ => input.wide(),
                },
                adds: kind % 2 == 0,
            },
            9 => Self::Mend,
            10 => Self::Random(input.byte()),
            11 => Self::Split(input.wide()),
            12 => Self::LeaveOut(input.byte()),
            _ => Self::Repeat(input.byte()),
        }
    }
}

/// What becomes of a datagram: one, or several.
pub(super) fn edited(datagram: &[u8], edits: &[Edit]) -> Vec<Vec<u8>> {
    let mut done = Vec::new();
    let mut last = datagram.to_vec();
    for edit in edits {
        if let Some(before) = apply(&mut last, edit) {
            done.push(before);
        }
        last.truncate(LONGEST);
    }
    done.push(last);
    done
}

/// Gives the client of this hello another random.
pub(super) fn renew(hello: &mut [u8], number: u16) {
    let number = number.to_be_bytes();
    for (place, byte) in hello
        .iter_mut()
        .take(RANDOM.end)
        .skip(RANDOM.start)
        .zip(number)
    {
        *place ^= byte;
    }
}

/// Returns what is a datagram of its own now, before the rest.
fn apply(datagram: &mut Vec<u8>, edit: &Edit) -> Option<Vec<u8>> {
    let within = |at: u16| usize::from(at) % (datagram.len() + 1);
    match edit {
        Edit::Flip { at, bits } => {
            let place = within(*at);
            if let Some(byte) = datagram.get_mut(place) {
                *byte ^= bits;
            }
        }
        Edit::Cut(at) => datagram.truncate(within(*at)),
        Edit::Delete { at, count } => {
            let start = within(*at);
            let end = (start + usize::from(*count)).min(datagram.len());
            datagram.drain(start..end);
        }
        Edit::Insert { at, bytes } => {
            let place = within(*at);
            datagram.splice(place..place, bytes.iter().copied());
        }
        Edit::Field {
            record,
            field,
            value,
            adds,
        } => change(datagram, *record, *field, *value, *adds),
        Edit::Mend => mend(datagram),
        Edit::Random(number) => renew(datagram, u16::from(*number) + 1),
        Edit::Split(at) => return split(datagram, usize::from(*at)),
        Edit::LeaveOut(record) => {
            if let Some(range) = record_of(datagram, *record) {
                datagram.drain(range);
            }
        }
        Edit::Repeat(record) => {
            if let Some(range) = record_of(datagram, *record) {
                datagram.extend_from_within(range);
            }
        }
    }
    None
}

fn change(datagram: &mut [u8], record: u8, field: u8, value: u16, adds: bool) {
    let Some(range) = record_of(datagram, record) else {
        return;
    };
    let (offset, width) = FIELDS[usize::from(field) % FIELDS.len()];
    let start = range.start + offset;
    let Some(place) = datagram.get_mut(start..start + width) else {
        return;
    };
    let before = place
        .iter()
        .fold(0, |all, byte| all << 8 | u16::from(*byte));
    let value = match adds {
        true => before.wrapping_add(value),
        false => value,
    };
    place.copy_from_slice(&value.to_be_bytes()[2 - width..]);
}

fn mend(datagram: &mut [u8]) {
    let Some(content) = datagram.len().checked_sub(RECORD) else {
        return;
    };
    let Ok(length) = u16::try_from(content) else {
        return;
    };
    datagram[11..13].copy_from_slice(&length.to_be_bytes());
    let Some(body) = content.checked_sub(MESSAGE) else {
        return;
    };
    if datagram[0] == 22 && datagram[3..5] == [0, 0] {
        let length = u16::try_from(body).unwrap_or_default().to_be_bytes();
        datagram[15..17].copy_from_slice(&length);
        datagram[23..25].copy_from_slice(&length);
    }
}

/// Takes the beginning of the message of the first record away, as a datagram of its own.
fn split(datagram: &mut Vec<u8>, at: usize) -> Option<Vec<u8>> {
    let range = record_of(datagram, 0)?;
    let record = datagram[range.clone()].to_vec();
    let body = record.len().checked_sub(RECORD + MESSAGE)?;
    let at = at.checked_rem(body).filter(|at| *at > 0)?;
    let (head, body) = record.split_at(RECORD + MESSAGE);
    let begins = usize::from(u16::from_be_bytes([head[20], head[21]]));
    let part = |number: u8, skipped: usize, part: &[u8]| {
        let mut bytes = head.to_vec();
        bytes[10] = bytes[10].wrapping_add(number);
        let wide = |value: usize| u16::try_from(value).unwrap_or_default().to_be_bytes();
        bytes[11..13].copy_from_slice(&wide(part.len() + MESSAGE));
        bytes[20..22].copy_from_slice(&wide(begins + skipped));
        bytes[23..25].copy_from_slice(&wide(part.len()));
        bytes.extend(part);
        bytes
    };
    let (before, behind) = body.split_at(at);
    datagram.splice(range, part(1, at, behind));
    Some(part(0, 0, before))
}

/// Where a record is. What is no record is one with all the rest.
fn record_of(datagram: &[u8], number: u8) -> Option<Range<usize>> {
    let mut records = Vec::new();
    let mut start = 0;
    while start < datagram.len() {
        let length = datagram.get(start + 11..start + 13);
        let length = length.map(|length| usize::from(u16::from_be_bytes([length[0], length[1]])));
        let end = length.map(|length| start + RECORD + length);
        let end = end.unwrap_or(usize::MAX).min(datagram.len());
        records.push(start..end);
        start = end;
    }
    let number = usize::from(number).checked_rem(records.len())?;
    records.into_iter().nth(number)
}

//! Extensions of certificates that `webpki` keeps to itself.
//!
//! It has read each of these certificates, so their encoding is known to be good; what it would not have accepted is an error all the same.

use super::error::VerifyError;

/// The last byte of the OID of an extension in the arc 2.5.29.
#[derive(Clone, Copy, PartialEq)]
struct Id(u8);

const KEY_USAGE: Id = Id(15);
const BASIC_CONSTRAINTS: Id = Id(19);

const BOOLEAN: u8 = 0x01;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
const EXTENSIONS: u8 = 0xa3;

/// What a key may be for (RFC 5280, 4.2.1.3): a bit in the first byte of the extension.
#[derive(Clone, Copy)]
pub(super) enum Usage {
    DigitalSignature = 0x80,
    KeyCertSign = 0x04,
}

/// Whether the certificate says that its key may be used so. One that says nothing allows everything.
pub(super) fn allows(certificate: &[u8], usage: Usage) -> Result<bool, VerifyError> {
    let Some(mut value) = extension(certificate, KEY_USAGE)? else {
        return Ok(true);
    };
    match take(&mut value)? {
        (BIT_STRING, [_unused, bits @ ..]) => {
            Ok(bits.first().is_some_and(|bits| bits & usage as u8 != 0))
        }
        _ => Err(VerifyError::Malformed),
    }
}

/// Whether it is the certificate of an authority: it says so itself.
pub(super) fn is_authority(certificate: &[u8]) -> Result<bool, VerifyError> {
    let Some(mut value) = extension(certificate, BASIC_CONSTRAINTS)? else {
        return Ok(false);
    };
    let (_, mut constraints) = take(&mut value)?;
    Ok(!constraints.is_empty() && take(&mut constraints)? == (BOOLEAN, &[0xff]))
}

/// The value of an extension.
fn extension(certificate: &[u8], id: Id) -> Result<Option<&[u8]>, VerifyError> {
    let mut list = extensions(certificate)?;
    while !list.is_empty() {
        let (_, mut extension) = take(&mut list)?;
        let (_, oid) = take(&mut extension)?;
        let (tag, mut value) = take(&mut extension)?;
        // Whether it is critical may come first.
        if tag == BOOLEAN {
            (_, value) = take(&mut extension)?;
        }
        if oid == [0x55, 0x1d, id.0] {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// All of them. Old versions have none.
fn extensions(mut certificate: &[u8]) -> Result<&[u8], VerifyError> {
    let (_, mut signed) = take(&mut certificate)?;
    let (_, mut fields) = take(&mut signed)?;
    while !fields.is_empty() {
        if let (EXTENSIONS, mut extensions) = take(&mut fields)? {
            return match take(&mut extensions)? {
                (SEQUENCE, list) => Ok(list),
                _ => Err(VerifyError::Malformed),
            };
        }
    }
    Ok(&[])
}

/// The first value in DER: its tag, and what is in it.
fn take<'a>(input: &mut &'a [u8]) -> Result<(u8, &'a [u8]), VerifyError> {
    let split = || {
        let (&[tag, length], rest) = input.split_first_chunk()?;
        let (length, rest) = match length {
            ..=0x7f => (usize::from(length), rest),
            0x81 => {
                let (&[length], rest) = rest.split_first_chunk()?;
                (usize::from(length), rest)
            }
            0x82 => {
                let (&length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(length)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        Some((tag, value, rest))
    };
    let (tag, value, rest) = split().ok_or(VerifyError::Malformed)?;
    *input = rest;
    Ok((tag, value))
}

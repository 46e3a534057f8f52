//! What a cipher tells the engine of a record of the handshake, in the form of a signature that no server can send.

use aead::{Buffer, Error};
use embedded_tls::SignatureScheme;

use super::flight::SIGNAL;
use super::gate::HANDSHAKE;
use super::reason::GuardError;

/// Puts `error` in the place of what is inside, in the form of a signature.
pub(super) fn signal(error: GuardError, buffer: &mut dyn Buffer) -> Result<(), Error> {
    let [code, value] = to_bytes(error);
    let [high, low] = SIGNAL;
    let length = 2;
    let message = [
        15,
        0,
        0,
        4 + length,
        high,
        low,
        0,
        length,
        code,
        value,
        HANDSHAKE,
    ];
    buffer.truncate(0);
    buffer.extend_from_slice(&message)
}

/// What the signature says. `None`: it is one.
pub(super) fn read_signal(scheme: SignatureScheme, signature: &[u8]) -> Option<GuardError> {
    let is_signal = scheme == SignatureScheme::Sha224Dsa;
    is_signal.then_some(match *signature {
        [0, alert] => GuardError::Refused(alert),
        [1, _] => GuardError::Malformed,
        [2, _] => GuardError::Parted,
        [3, _] => GuardError::UnexpectedMessage,
        [4, _] => GuardError::UnexpectedRecord,
        [5, _] => GuardError::IllegalHello,
        [6, _] => GuardError::UnofferedExtension,
        [7, _] => GuardError::IllegalExtension,
        _ => GuardError::Internal,
    })
}

const fn to_bytes(error: GuardError) -> [u8; 2] {
    match error {
        GuardError::Refused(alert) => [0, alert],
        GuardError::Malformed => [1, 0],
        GuardError::Parted => [2, 0],
        GuardError::UnexpectedMessage => [3, 0],
        GuardError::UnexpectedRecord => [4, 0],
        GuardError::IllegalHello => [5, 0],
        GuardError::UnofferedExtension => [6, 0],
        GuardError::IllegalExtension => [7, 0],
        _ => [u8::MAX, 0],
    }
}

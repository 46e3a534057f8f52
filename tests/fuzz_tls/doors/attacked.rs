//! What every stream under attack has to do.

use core::fmt::Debug;

use tacket::{ReceiveStream as _, Split};
use tacket_tls::{Engine, EngineError, TlsError, TlsStream, rustls};

use super::middle::Middle;
use super::speech::Speech;
use super::subject::{Act, Deed};

/// A stream under attack.
pub(super) trait Attacked {
    /// Does it, and checks what comes of it.
    async fn act(&mut self, act: Act);

    /// Ends the session, and receives what there is before the peer's end. Returns whether that came.
    async fn finish(&mut self) -> bool;

    fn is_there(&self) -> bool;

    fn is_established(&self) -> bool;

    /// Nobody does it any harm.
    fn is_honest(&self) -> bool;

    /// Whether it may have shaken hands after it was told this.
    fn is_convinced_by(&self, middle: &Middle) -> bool;

    /// Why its session has failed.
    fn refusal(&self) -> Option<&EngineError>;

    /// Whether the peer may fail so.
    fn may_fail(&self, error: &rustls::Error) -> bool;
}

/// Why a session has failed, which stays so.
#[derive(Debug, Default)]
pub(super) struct Refusal {
    reason: Option<EngineError>,
    /// A receive said so.
    is_deaf: bool,
}

impl Refusal {
    pub(super) const fn reason(&self) -> Option<&EngineError> {
        self.reason.as_ref()
    }

    pub(super) fn check<E: Debug>(&mut self, deed: Deed, done: &Result<(), TlsError<E>>) {
        let receives = matches!(deed, Deed::Receive(1..) | Deed::Read(1..));
        let needs_engine = matches!(
            deed,
            Deed::Handshake | Deed::Send(1..) | Deed::Write(1..) | Deed::WaitToSend
        );
        if let Some(reason) = &self.reason
            && (needs_engine || receives && self.is_deaf)
        {
            match done {
                // Not all errors of rustls are equal to themselves.
                Err(TlsError::Engine(again)) => {
                    assert_eq!(format!("{again:?}"), format!("{reason:?}"), "{deed:?}");
                }
                Err(TlsError::Closed) if !receives => {}
                other => panic!("{deed:?}: {other:?} after {reason:?}"),
            }
        }
        if let Err(TlsError::Engine(error)) = done {
            self.reason.get_or_insert_with(|| error.clone());
            self.is_deaf |= receives;
        }
    }
}

/// Ends a session, and receives what there is before the peer's end.
pub(super) async fn finish<S: Split, E: Engine>(
    tls: &mut TlsStream<S, E>,
    speech: &Speech,
) -> Result<(), TlsError<S::Error>> {
    loop {
        match tls.shutdown().await {
            Ok(()) => {
                speech.arrive_at_end();
                return Ok(());
            }
            Err(TlsError::UnreadData) => {
                let mut buf = [0; 1000];
                match tls.receive_some(&mut buf).await {
                    Ok(count) => speech.arrive(buf.get(..count).unwrap_or_default()),
                    Err(error) => panic!("the data is not there after all: {error:?}"),
                }
            }
            Err(error) => return Err(error),
        }
    }
}

//! The handshake, as long as it lasts.

use core::marker::PhantomData;

use embedded_tls::{TlsConnection, TlsContext, TlsError};

use super::provider::{Examiner, Provider, Seed};
use super::reason::GuardError;
use super::settings::GuardedClientConfig;
use super::suite::GuardSuite;
use super::verify::{GuardVerifier, PeerIdentity};
use super::wire::{Mailbox, Wire};

/// `embedded-tls`, on its end of the wire.
pub(super) type Connection<'b, C> = TlsConnection<'b, Mailbox<'b>, C>;

/// What a handshake needs.
#[expect(missing_debug_implementations, reason = "engines are sealed")]
#[expect(unnameable_types, reason = "engines are sealed")]
pub struct Opening<'b, C: GuardSuite> {
    pub(super) connection: Connection<'b, C>,
    pub(super) config: &'b GuardedClientConfig<'b, C>,
    pub(super) seed: Seed,
    pub(super) wire: &'b Wire,
}

/// What came of it.
#[expect(missing_debug_implementations, reason = "engines are sealed")]
#[expect(unnameable_types, reason = "engines are sealed")]
pub struct Opened<'b, C: GuardSuite> {
    pub(super) connection: Connection<'b, C>,
    pub(super) outcome: Result<PeerIdentity, GuardError>,
}

impl<'b, C: GuardSuite> Opening<'b, C> {
    /// Performs the handshake, and asks the verifier who the server is.
    #[expect(
        clippy::manual_async_fn,
        reason = "in an `async fn`, a `mut self` lies in the future twice"
    )]
    pub(super) fn perform(mut self) -> impl Future<Output = Opened<'b, C>> {
        async move {
            let (config, wire) = (self.config, self.wire);
            let verifier = GuardVerifier::new(config.trust, &config.name, config.validity);
            let settings = config.settings(verifier.server_name());
            let mut provider = Provider::<C> {
                seed: self.seed,
                examiner: Examiner { wire, verifier },
                certificate: config.certificate.as_ref(),
                suite: PhantomData,
            };
            let context = TlsContext::new(&settings, &mut provider);
            let opened = self.connection.open(context).await;
            let verifier = &provider.examiner.verifier;
            let outcome = match (opened, wire.signal.get(), verifier.refusal()) {
                _ if provider.seed.is_empty() => Err(GuardError::Internal),
                (Ok(()), None, None) => verifier.verdict().map_err(GuardError::Untrusted),
                (_, Some(found), _) => Err(found),
                (_, None, Some(refusal)) => Err(GuardError::Untrusted(refusal)),
                (Err(error), None, None) => Err(objection(error)),
            };
            Opened {
                connection: self.connection,
                outcome,
            }
        }
    }
}

/// What `embedded-tls` objected to in a handshake.
const fn objection(error: TlsError) -> GuardError {
    match error {
        TlsError::CryptoError => GuardError::BadRecord,
        TlsError::InvalidSignature => GuardError::BadFinished,
        TlsError::InvalidKeyShare => GuardError::IllegalHello,
        TlsError::InsufficientSpace | TlsError::EncodeError | TlsError::OutOfMemory => {
            GuardError::NoRoom
        }
        TlsError::InternalError
        | TlsError::MissingHandshake
        | TlsError::IoError
        | TlsError::Io(_)
        | TlsError::InvalidPrivateKey => GuardError::Internal,
        _ => GuardError::Malformed,
    }
}

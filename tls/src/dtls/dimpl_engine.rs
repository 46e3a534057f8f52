//! The engine over `dimpl`.

use alloc::boxed::Box;
use alloc::string::ToString as _;
use alloc::sync::Arc;
use core::fmt;
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::panic::catch_unwind;
use std::time::Instant;

use dimpl::{CryptoError, CryptoOperation, Dtls, ProtocolVersion};
use rustls_pki_types::{CertificateDer, ServerName};

use super::config::{Profile, Proof, Version};
use super::engine::{Engine, Output, Settings};
use super::error::DtlsProblem;
use super::hello::{COOKIE, ClientHello};
use super::negotiated::{DtlsNegotiated, DtlsVersion};
use super::provider;
use super::record::{ContentType, Record, Records};
use super::sizes::OVERHEAD;

/// The longest time between two attempts of the same (RFC 6347, 4.2.4.1).
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(60);
/// When `dimpl` is due again at once, it is asked again after this: it can have an acknowledgement due that it never sends, and the time would not go on.
const BREATHER: Duration = Duration::from_millis(100);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// After the handshake, nothing that is due later than this is ever due: `dimpl` says ten years for never.
const NEVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
/// A time that is still a moment of `dimpl`.
const FAR: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// How many records of one flight `dimpl` keeps, by DTLS 1.3, to send them again. With one more it panics.
const KEPT: usize = 12;
/// The most bytes of a flight that are not of the certificate.
const OTHERS: usize = 512;

/// Whether a flight with a certificate of this length is short enough for DTLS 1.3.
///
/// It has six messages at most, one record of each, and one more of each that goes on in another datagram. There, and where one ends, are a header and a tag.
const fn is_kept(certificate: usize, mtu: usize) -> bool {
    let datagrams = (certificate + OTHERS).div_ceil(mtu - 2 * 34);
    6 + datagrams - 1 <= KEPT
}

/// An association of `dimpl`, whose peer is checked here.
pub(super) struct DimplEngine {
    dtls: Dtls,
    profile: Arc<Profile>,
    /// Who the server is to be. Clients have no name.
    name: Option<ServerName<'static>>,
    /// The peer's, which was found to be trusted.
    certificate: Option<Arc<CertificateDer<'static>>>,
    /// The identity of the pre-shared key.
    key_name: Option<Arc<[u8]>>,
    is_established: bool,
    /// The length of the message whose record comes next.
    message: Option<usize>,
    has_random_nonces: bool,
    /// The moment that `dimpl` has for [`began`](Self::began).
    start: Instant,
    began: Duration,
    now: Duration,
    /// By how much the time of `dimpl` has been put forward.
    ahead: Duration,
    last_sent: Option<Duration>,
    /// By the time of `dimpl`.
    due: Option<Instant>,
    /// When it was last told the time, by ours.
    ticked: Option<Duration>,
}

impl DimplEngine {
    /// A client, with its hello ready.
    pub(super) fn client(
        profile: &Arc<Profile>,
        name: ServerName<'static>,
        settings: Settings,
        now: Duration,
    ) -> Result<Box<dyn Engine>, DtlsProblem> {
        let is_13 = profile.version == Version::Dtls13;
        if is_13 && !profile.is_kept(settings.mtu) {
            return Err(DtlsProblem::CertificateTooLong);
        }
        let mut engine = Self::new(profile, Some(name), settings, now, is_13)?;
        engine.dtls.set_active(true);
        engine.tick(now)?;
        Ok(Box::new(engine))
    }

    /// A server that is to ask for the client's address itself. Where its certificate is too long for DTLS 1.3, it speaks 1.2 alone.
    pub(super) fn server(
        profile: &Arc<Profile>,
        settings: Settings,
        now: Duration,
    ) -> Result<Box<dyn Engine>, DtlsProblem> {
        let is_13 = profile.version != Version::Dtls12 && profile.is_kept(settings.mtu);
        let mut engine = Self::new(profile, None, settings, now, is_13)?;
        engine.tick(now)?;
        Ok(Box::new(engine))
    }

    /// A server of DTLS 1.2, for the client of this hello, whose cookie is known to be good.
    ///
    /// It is shown the hello without the cookie first, as if it had asked for it: so it counts messages and records as the client does.
    pub(super) fn server_of(
        profile: &Arc<Profile>,
        hello: &[u8],
        settings: Settings,
        now: Duration,
        scratch: &mut [u8],
    ) -> Result<Box<dyn Engine>, DtlsProblem> {
        let mut engine = Self::new(profile, None, settings, now, false)?;
        let Ok(parsed) = ClientHello::parse(hello) else {
            return Err(unexpected());
        };
        let cookie: [u8; COOKIE] = parsed.cookie.try_into().map_err(|_| unexpected())?;
        provider::with_cookie(cookie, || {
            engine.receive(now, &parsed.without_cookie())?;
            while engine.next(scratch)?.is_some() {}
            engine.receive(now, hello)
        })?;
        Ok(Box::new(engine))
    }

    fn new(
        profile: &Arc<Profile>,
        name: Option<ServerName<'static>>,
        settings: Settings,
        now: Duration,
        is_13: bool,
    ) -> Result<Self, DtlsProblem> {
        let (config, start) = (profile.configure(settings)?, Instant::now());
        let dtls = match (&profile.proof, profile.version) {
            (Proof::Key(_) | Proof::Keys(_), _) => Dtls::new_12_psk(config, start),
            (Proof::Certificate(own), Version::Dtls13) => Dtls::new_13(config, own.clone(), start),
            (Proof::Certificate(own), Version::Both) if is_13 => {
                Dtls::new_auto(config, own.clone(), start)
            }
            (Proof::Certificate(own), _) => Dtls::new_12(config, own.clone(), start),
        };
        Ok(Self {
            dtls,
            profile: Arc::clone(profile),
            name,
            certificate: None,
            key_name: None,
            is_established: false,
            message: None,
            // The only suite with a pre-shared key is of AES in CCM.
            has_random_nonces: matches!(profile.proof, Proof::Key(_) | Proof::Keys(_)),
            start,
            began: now,
            now,
            ahead: Duration::ZERO,
            last_sent: None,
            due: None,
            ticked: None,
        })
    }

    /// Lets `dimpl` go on. It asks for a key by its identity in the middle of that.
    fn go_on<R>(
        &mut self,
        work: impl FnOnce(&mut Dtls) -> Result<R, dimpl::Error>,
    ) -> Result<Result<R, dimpl::Error>, DtlsProblem> {
        let (worked, name) = provider::with_name(|| contained(|| work(&mut self.dtls)));
        if !self.is_established && name.is_some() {
            self.key_name = name;
        }
        worked
    }

    /// The time of `dimpl`.
    fn moment(&self) -> Instant {
        let passed = self
            .now
            .saturating_sub(self.began)
            .saturating_add(self.ahead);
        self.start + passed.min(FAR)
    }

    /// How long until `dimpl` tries the same again, if it ever does.
    ///
    /// It doubles its interval without limit, so the next one is about as long as [`ahead`](Self::ahead), the sum of what was skipped. What is due much later is the end of its
    /// own patience, and no retry.
    fn until_due(&self) -> Option<Duration> {
        let due = self.due?.saturating_duration_since(self.moment());
        let latest = DAY.max(self.ahead.saturating_mul(8));
        Some(due).filter(|due| *due < latest)
    }

    /// Whether an error comes of one record that anybody may have written (RFC 6347, 4.1.2.7).
    ///
    /// `dimpl` leaves such records out after the handshake, and before it has keys. In between, they do no harm either, unless keys were taken into use in the middle of the
    /// same datagram. A client has another way: it begins anew.
    fn is_forged(&self, datagram: &[u8], error: &dimpl::Error) -> bool {
        let decrypt = CryptoError::OperationFailed(CryptoOperation::Decrypt);
        let changes_keys = |record| {
            let change = ContentType::ChangeCipherSpec;
            matches!(record, Ok(Record::Full { content_type, .. }) if content_type == change)
        };
        self.name.is_none()
            && *error == dimpl::Error::CryptoError(decrypt)
            && !Records::of(datagram).any(changes_keys)
    }

    /// When to try the same again at the latest, although `dimpl` would wait longer.
    fn latest_retry(&self) -> Option<Duration> {
        let sent = self.last_sent.filter(|_| !self.is_established)?;
        Some(sent.saturating_add(LONGEST_RETRY))
    }
}

impl Profile {
    fn is_kept(&self, mtu: usize) -> bool {
        match &self.proof {
            Proof::Certificate(own) => is_kept(own.certificate.len(), mtu),
            Proof::Key(_) | Proof::Keys(_) => true,
        }
    }
}

/// Lets `dimpl` work. Version 0.9 panics at some of what a peer can send: then this engine is at its end, and no other.
fn contained<R>(work: impl FnOnce() -> R) -> Result<R, DtlsProblem> {
    let worked = catch_unwind(AssertUnwindSafe(work));
    worked.map_err(|_| DtlsProblem::Protocol("the engine has failed".to_string()))
}

fn unexpected() -> DtlsProblem {
    DtlsProblem::Protocol("not a hello with a cookie".to_string())
}

fn problem_of(error: dimpl::Error) -> DtlsProblem {
    match error {
        dimpl::Error::Timeout(_) => DtlsProblem::HandshakeTimeout,
        error => DtlsProblem::Protocol(error.to_string()),
    }
}

impl Engine for DimplEngine {
    fn receive(&mut self, now: Duration, datagram: &[u8]) -> Result<(), DtlsProblem> {
        self.tick(now)?;
        let (mut records, mut rest) = (Records::of(datagram), datagram);
        while !rest.is_empty() {
            // One at a time: `dimpl` passes over a whole datagram whose first message it knows already, and never gets what was damaged behind that.
            let end = match self.is_13() && records.next().is_some_and(|record| record.is_ok()) {
                true => rest.len() - records.left(),
                false => rest.len(),
            };
            let (record, behind) = rest.split_at(end);
            rest = behind;
            match self.go_on(|dtls| dtls.handle_packet(record))? {
                Err(error) if self.is_forged(record, &error) => {}
                handled => handled.map_err(problem_of)?,
            }
        }
        Ok(())
    }

    fn tick(&mut self, now: Duration) -> Result<(), DtlsProblem> {
        self.now = self.now.max(now);
        let is_late = self.latest_retry().is_some_and(|retry| self.now >= retry);
        if is_late {
            self.ahead += self.until_due().unwrap_or_default();
        }
        self.ticked = Some(self.now);
        let moment = self.moment();
        let told = self.go_on(|dtls| dtls.handle_timeout(moment))?;
        told.map_err(problem_of)
    }

    fn send(&mut self, message: &[u8]) -> Result<(), DtlsProblem> {
        let sent = contained(|| self.dtls.send_application_data(message))?;
        sent.map_err(problem_of)?;
        self.message = Some(message.len());
        Ok(())
    }

    fn close(&mut self) {
        // It fails where there is nobody left to tell.
        let _ = contained(|| self.dtls.close());
    }

    fn next(&mut self, buf: &mut [u8]) -> Result<Option<Output>, DtlsProblem> {
        loop {
            let (dtls, buf) = (&mut self.dtls, &mut *buf);
            let output = match contained(|| dtls.poll_output(buf))? {
                dimpl::Output::Packet(packet) => {
                    self.last_sent = Some(self.now);
                    // Of AES in GCM. Its counterpart ChaCha20 counts, as all of DTLS 1.3 does, and has shorter records.
                    let message = self.message.take();
                    self.has_random_nonces |=
                        message.is_some_and(|length| packet.len() == length + OVERHEAD);
                    Output::Datagram(packet.len())
                }
                dimpl::Output::BufferTooSmall { needed } => {
                    let why = alloc::format!("something has {needed} bytes");
                    return Err(DtlsProblem::Protocol(why));
                }
                dimpl::Output::PeerCert(certificate) => {
                    if let Some(trust) = &self.profile.trust {
                        trust.check(certificate, self.name.as_ref())?;
                        let certificate = CertificateDer::from(certificate.to_vec());
                        self.certificate = Some(Arc::new(certificate));
                    }
                    continue;
                }
                dimpl::Output::Connected => {
                    if self.profile.trust.is_some() && self.certificate.is_none() {
                        return Err(DtlsProblem::NoCertificate);
                    }
                    self.is_established = true;
                    Output::Established
                }
                dimpl::Output::ApplicationData(data) => Output::Message(data.len()),
                dimpl::Output::CloseNotify => Output::End,
                dimpl::Output::Timeout(due) => {
                    let is_soon = due.saturating_duration_since(self.moment()) < NEVER;
                    self.due = (is_soon || !self.is_established).then_some(due);
                    return Ok(None);
                }
                // Keys of SRTP.
                _ => continue,
            };
            return Ok(Some(output));
        }
    }

    fn is_13(&self) -> bool {
        self.dtls.protocol_version() == Some(ProtocolVersion::DTLS1_3)
    }

    fn negotiated(&self) -> DtlsNegotiated {
        DtlsNegotiated {
            version: match self.is_13() {
                true => DtlsVersion::Dtls13,
                false => DtlsVersion::Dtls12,
            },
            peer_certificate: self.certificate.clone(),
            psk_identity: self.key_name.clone(),
        }
    }

    fn wears_keys_out(&self) -> bool {
        self.has_random_nonces || self.is_13()
    }

    fn deadline(&self) -> Option<Duration> {
        let due = self.due?.saturating_duration_since(self.moment());
        let mut due = self.now.saturating_add(due);
        if self.ticked.is_some_and(|ticked| due <= ticked) {
            due = self.now.saturating_add(BREATHER);
        }
        let retry = self.latest_retry().filter(|_| self.until_due().is_some());
        Some(retry.map_or(due, |retry| due.min(retry)))
    }
}

impl fmt::Debug for DimplEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DimplEngine")
            .field("is_established", &self.is_established)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_engine_is_a_problem_of_one_association() {
        assert_eq!(contained(|| 7), Ok(7));
        let failed = contained(|| panic!("as a peer may bring about"));
        assert!(
            matches!(failed, Err(DtlsProblem::Protocol(_))),
            "{failed:?}"
        );
    }
}

//! The attempts of a handshake: when a client begins anew, and when no more; and what of it an engine is shown.

use alloc::string::ToString as _;
use core::time::Duration;

use super::answer::asked_by;
use super::dimpl_engine::LONGEST_RETRY;
use super::error::DtlsProblem;
use super::hello::ClientHello;
use super::sizes::LONGEST_HANDSHAKE;

/// How many messages that come before the end of a handshake, because something of that was lost, may wait for it: half of what an engine keeps.
pub(super) const EARLY: u8 = 32;
/// How often a client begins anew, when what came was not what it should have been: anybody can write such a thing.
const ATTEMPTS: u32 = 8;
/// The same when a certificate is not trusted, which is more likely to stay so.
const ATTEMPTS_WITH_STRANGERS: u32 = 2;
/// How long a client waits for the end of a handshake whose server has answered, in first timeouts: four attempts, and some more.
const PATIENCE: u32 = 20;
/// It doubles, up to this or what it began with.
const LONGEST_PATIENCE: Duration = Duration::from_secs(160);
/// A cookie that is refused sooner than this was never good. Later, its time may be over: the server had no place, and said nothing.
const COOKIE_LASTS: Duration = Duration::from_secs(20);

/// The attempts of one end. A server has one.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// Those that met with what was not understood.
    failed: u32,
    /// Those that met with a certificate that is not trusted.
    strangers: u32,
    /// The record by which it first repeated its hello, as the server had asked it to, and when.
    repeated: Option<(u64, Duration)>,
    /// It was not served for long, and asks seldom.
    asks_seldom: bool,
    /// When it begins anew, if the server has answered, and it gets no farther.
    stuck_at: Option<Duration>,
    /// How often that was so.
    stuck: u8,
    /// How many bytes of plain text this attempt was shown.
    heard: u32,
    /// How many messages it was shown before its end.
    pub(super) early: u8,
}

impl Attempts {
    /// The first timeout of the next attempt.
    pub(super) const fn retransmit(&self, usual: Duration) -> Duration {
        match self.asks_seldom {
            true => LONGEST_RETRY,
            false => usual,
        }
    }

    /// The one so far is over.
    pub(super) const fn begin_anew(&mut self) {
        (self.repeated, self.stuck_at) = (None, None);
        (self.heard, self.early) = (0, 0);
    }

    /// A datagram of it goes out.
    pub(super) fn sent(&mut self, datagram: &[u8], now: Duration) {
        if self.repeated.is_none()
            && let Ok(hello) = ClientHello::parse(datagram)
            && hello.message > 0
        {
            self.repeated = Some((hello.sequence, now));
        }
    }

    /// Whether these records ask for another cookie than the one that the server got, so that it is to begin anew: the engine would send the same for ever.
    pub(super) fn asks_another(
        &mut self,
        records: &[u8],
        now: Duration,
    ) -> Result<bool, DtlsProblem> {
        let Some((sent, since)) = self.repeated else {
            return Ok(false);
        };
        if asked_by(records).is_none_or(|asked| asked < sent) {
            return Ok(false);
        }
        if now.saturating_sub(since) < COOKIE_LASTS {
            let why = "the server takes no cookie".to_string();
            return Err(DtlsProblem::Protocol(why));
        }
        // However often this is so: it may have a place some day, and how long to wait for that is for the caller to say.
        self.asks_seldom = true;
        Ok(true)
    }

    /// A datagram has come for it, of which so many bytes are plain text. Whether it may be shown that.
    pub(super) fn hears(&mut self, plain: usize) -> bool {
        let plain = u32::try_from(plain).unwrap_or(u32::MAX);
        self.heard = self.heard.saturating_add(plain);
        plain == 0 || self.heard <= LONGEST_HANDSHAKE
    }

    /// The server has answered.
    pub(super) fn answered(&mut self, now: Duration, retransmit: Duration) {
        let first = retransmit.saturating_mul(PATIENCE);
        let patience = first.saturating_mul(1 << self.stuck);
        let patience = patience.min(first.max(LONGEST_PATIENCE));
        let until = now.saturating_add(patience);
        self.stuck_at.get_or_insert(until);
    }

    /// Whether it is to begin anew, since it gets no farther.
    ///
    /// Somebody else's word may have been taken for the server's. Then both wait for what they do not understand.
    pub(super) fn is_stuck(&mut self, now: Duration) -> bool {
        let is_stuck = self.stuck_at.is_some_and(|at| at <= now);
        if is_stuck {
            self.stuck = (self.stuck + 1).min(8);
        }
        is_stuck
    }

    pub(super) const fn deadline(&self) -> Option<Duration> {
        self.stuck_at
    }

    /// The handshake is done.
    pub(super) const fn succeeded(&mut self) {
        self.stuck_at = None;
    }

    /// This was met with. How long to wait before the next attempt, if there is to be one.
    pub(super) fn failed(
        &mut self,
        problem: &DtlsProblem,
        retransmit: Duration,
    ) -> Option<Duration> {
        self.asks_seldom = *problem == DtlsProblem::HandshakeTimeout;
        let (made, most) = match problem {
            // The engine's patience is over, and the caller's is not: it goes on at the pace that was reached.
            DtlsProblem::HandshakeTimeout => return Some(Duration::ZERO),
            // Nothing of this is authentic before the handshake is done.
            DtlsProblem::Protocol(_) => (&mut self.failed, ATTEMPTS),
            DtlsProblem::Untrusted(_) | DtlsProblem::NoCertificate => {
                (&mut self.strangers, ATTEMPTS_WITH_STRANGERS)
            }
            DtlsProblem::CertificateTooLong | DtlsProblem::KeysUsedUp => return None,
        };
        *made += 1;
        (*made <= most).then(|| retransmit.saturating_mul((1 << (*made - 1)) - 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_heard_up_to_a_limit_and_what_is_protected_also_behind_it() {
        let mut attempts = Attempts::default();
        for _ in 0..LONGEST_HANDSHAKE / 1024 {
            assert!(attempts.hears(1024));
        }
        assert!(!attempts.hears(1) && attempts.hears(0) && !attempts.hears(usize::MAX));
        attempts.begin_anew();
        assert!(attempts.hears(1));
    }
}

//! Records after the handshake.

use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};

use embedded_tls::TlsError;

use super::super::flight::check_later;
use super::super::gate::{ALERT, DATA, HANDSHAKE};
use super::super::opening::Connection;
use super::super::reason::GuardError;
use super::super::suite::{GuardSuite, is_alert};
use super::{Buffer, GuardedEngine, Progress, Sink};

/// How many records without data may come one after the other.
const MAX_IDLE: u8 = 32;

/// How many records are sealed with one key (RFC 8446, 5.5), but for the last ones.
const MAX_SEALED: u32 = if cfg!(test) { 1000 } else { 1 << 24 };

const USER_CANCELED: u8 = 90;

impl<'b, C: GuardSuite> GuardedEngine<'b, C> {
    /// Opens the record that is at the front of `incoming`, and finds out what it is.
    fn open_record(&mut self, incoming: &mut Buffer<'b>) -> Result<(), GuardError> {
        let mut stage = core::mem::replace(&mut self.stage, Progress::Closed);
        let Progress::Open(connection, _) = &mut stage else {
            return Err(GuardError::Internal);
        };
        let found = self.look_inside(connection, incoming);
        self.stage = stage;
        match found? {
            Found::Data => self.idle = 0,
            Found::Nothing => {
                self.idle += 1;
                if self.idle > MAX_IDLE {
                    return Err(GuardError::TooManyRecords);
                }
            }
            Found::End => self.has_ended = true,
        }
        Ok(())
    }

    fn look_inside(
        &mut self,
        connection: &mut Connection<'b, C>,
        incoming: &mut Buffer<'b>,
    ) -> Result<Found, GuardError> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut opening = pin!(connection.read_buffered());
        let opened = loop {
            if let Poll::Ready(opened) = opening.as_mut().poll(&mut cx) {
                break opened;
            }
            // All of the record was there.
            if self.feeding == 0 {
                return Err(GuardError::Internal);
            }
            self.feed(incoming)?;
        };
        let mut inside = opened.map_err(|_| GuardError::BadRecord)?;
        let all = inside.peek_all();
        let (typ, content) = all.split_last().ok_or(GuardError::Internal)?;
        let found = inspect(*typ, content)?;
        if found == Found::Data {
            self.held = all.len();
        } else {
            inside.pop_all();
        }
        Ok(found)
    }

    /// Hands on what it holds.
    fn deliver(&mut self, sink: &mut Sink<'_, 'b>) -> Result<(), GuardError> {
        let Progress::Open(connection, _) = &mut self.stage else {
            return Err(GuardError::Internal);
        };
        let mut cx = Context::from_waker(Waker::noop());
        // There is some, so it reads nothing.
        let Poll::Ready(Ok(mut inside)) = pin!(connection.read_buffered()).poll(&mut cx) else {
            return Err(GuardError::Internal);
        };
        let count = sink.room().min(self.held - 1);
        sink.put(inside.pop(count));
        self.held -= count;
        if self.held == 1 {
            inside.pop_all();
            self.held = 0;
        }
        Ok(())
    }

    pub(super) fn receive(
        &mut self,
        incoming: &mut Buffer<'b>,
        sink: &mut Sink<'_, 'b>,
    ) -> Result<(), GuardError> {
        loop {
            if sink.room() == 0 && (sink.taken() > 0 || self.held > 0) || self.has_ended {
                return Ok(());
            }
            if self.held > 0 {
                self.deliver(sink)?;
            } else if self.feed(incoming)? {
                self.open_record(incoming)?;
            } else {
                return Ok(());
            }
        }
    }

    /// Adds records with `data` to `output`, which has room for them: one, or two, so that no data looks like an alert. Without data it
    /// is the end.
    pub(super) fn seal_data(
        &mut self,
        output: &mut Buffer<'b>,
        data: &[u8],
    ) -> Result<(), GuardError> {
        if self.sealed >= MAX_SEALED {
            return Err(GuardError::KeysUsedUp);
        }
        let (first, rest) = data.split_at(usize::from(is_alert(data)));
        if !first.is_empty() {
            self.seal_record(output, first)?;
        }
        self.seal_record(output, rest)
    }

    /// Adds a record with `data` to `output`, whatever it means.
    pub(super) fn seal_record(
        &mut self,
        output: &mut Buffer<'b>,
        data: &[u8],
    ) -> Result<(), GuardError> {
        self.sealed += 1;
        let Progress::Open(mut connection, identity) =
            core::mem::replace(&mut self.stage, Progress::Closed)
        else {
            return Err(GuardError::Internal);
        };
        let made = {
            let mut making = pin!(async {
                let written = connection.write(data).await?;
                connection.flush().await?;
                Ok::<_, TlsError>(written)
            });
            self.complete(making.as_mut(), output)?
        };
        if !matches!(made, Ok(written) if written == data.len()) {
            return Err(GuardError::Internal);
        }
        self.stage = Progress::Open(connection, identity);
        Ok(())
    }

    /// Runs what waits for nothing but room in the window.
    fn complete<F: Future>(
        &self,
        mut future: Pin<&mut F>,
        output: &mut Buffer<'b>,
    ) -> Result<F::Output, GuardError> {
        let mut cx = Context::from_waker(Waker::noop());
        loop {
            let polled = future.as_mut().poll(&mut cx);
            let waits = !self.wire.outbound.borrow().is_empty();
            if !self.drain(output) {
                return Err(GuardError::Internal);
            }
            match polled {
                Poll::Ready(done) => return Ok(done),
                Poll::Pending if waits => {}
                Poll::Pending => return Err(GuardError::Internal),
            }
        }
    }
}

/// What a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Data,
    Nothing,
    End,
}

fn inspect(typ: u8, content: &[u8]) -> Result<Found, GuardError> {
    match (typ, content) {
        (DATA, []) => Ok(Found::Nothing),
        (DATA, _) => Ok(Found::Data),
        (ALERT, [_, 0]) => Ok(Found::End),
        (ALERT, &[_, USER_CANCELED]) => Ok(Found::Nothing),
        (ALERT, &[_, alert]) => Err(GuardError::Refused(alert)),
        (HANDSHAKE, messages) => check_later(messages).map(|()| Found::Nothing),
        (0 | ALERT, _) => Err(GuardError::Malformed),
        _ => Err(GuardError::UnexpectedRecord),
    }
}

#[cfg(test)]
#[cfg(feature = "ring")]
#[expect(clippy::large_futures, reason = "tests run on a desktop")]
mod tests {
    use alloc::borrow::ToOwned as _;
    use alloc::vec;
    use alloc::vec::Vec;

    use futures_executor::block_on;
    use futures_util::future::join;
    use p256::elliptic_curve::rand_core::{CryptoRng, Error, RngCore};
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tacket::testing::MemoryPair;
    use tacket::{AsyncResource as _, HalfCloseable as _, ReceiveStream as _, SendStream as _};

    use super::*;
    use crate::{
        EngineError, Fingerprint, GuardTrust, GuardedClientConfig, ServerConfig, TlsError,
        TlsStorage, TlsStream, Validity, rustls,
    };

    /// Different bytes, which anybody can foresee.
    struct Counting(u8);

    impl RngCore for Counting {
        fn next_u32(&mut self) -> u32 {
            unimplemented!("nobody asks for it")
        }

        fn next_u64(&mut self) -> u64 {
            unimplemented!("nobody asks for it")
        }

        fn fill_bytes(&mut self, buf: &mut [u8]) {
            for byte in buf {
                self.0 += 1;
                *byte = self.0;
            }
        }

        fn try_fill_bytes(&mut self, buf: &mut [u8]) -> Result<(), Error> {
            self.fill_bytes(buf);
            Ok(())
        }
    }

    impl CryptoRng for Counting {}

    #[test]
    fn no_more_records_are_sealed_than_a_key_is_good_for() {
        let made = generate_simple_self_signed(["server.example".to_owned()]);
        let CertifiedKey { cert, signing_key } = made.expect("a certificate");
        let key = signing_key.serialize_der().try_into().expect("a key");
        let server = ServerConfig::with_certificate(vec![cert.der().clone()], key);
        let pins = [Fingerprint::of_certificate(cert.der()).expect("a hash")];
        let trust = GuardTrust::in_certificates(&pins).expect("one");
        let config = GuardedClientConfig::new(trust, "server.example", Validity::Unchecked);
        let config = config.expect("a name");
        for ends in [false, true] {
            let mut storage = TlsStorage::<2048, 512>::new();
            let pair = MemoryPair::new(vec![0; 100_000], vec![0; 100_000]);
            let (left, right) = pair.open().expect("a new pair");
            let client = TlsStream::guarded_client(left, &config, &mut Counting(0), &mut storage);
            let mut client = client.expect("random bytes");
            let server = server.as_ref().expect("they belong together");
            let mut server = TlsStream::server(right, server).expect("valid");
            let most = usize::try_from(MAX_SEALED).expect("few");
            let sending = async {
                for _ in 0..most {
                    client.send_all(b"x").await.expect("the key is good");
                }
                let used_up = Err(TlsError::Engine(EngineError::Guard(GuardError::KeysUsedUp)));
                if ends {
                    assert_eq!(client.send_eof().await, used_up);
                }
                assert_eq!(client.send_all(b"x").await, used_up);
                assert_eq!(client.receive_some(&mut [0]).await.map(drop), used_up);
                client.close().await.expect("closes");
            };
            let receiving = async {
                let (mut all, mut buf) = (Vec::new(), [0; 100]);
                let ended = loop {
                    match server.receive_some(&mut buf).await {
                        Ok(count @ 1..) => all.extend_from_slice(&buf[..count]),
                        ended => break ended,
                    }
                };
                assert_eq!(all, vec![b'x'; most]);
                let alert = rustls::AlertDescription::InternalError;
                let told = rustls::Error::AlertReceived(alert);
                assert_eq!(ended, Err(TlsError::Engine(told.into())));
            };
            block_on(join(sending, receiving));
        }
    }
}

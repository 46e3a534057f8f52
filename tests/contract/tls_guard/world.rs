//! A client of one authority, and what it makes of servers that follow a script.

use futures_util::future::join;
use tacket::testing::MemoryError;
use tacket::{AsyncResource, ReceiveStream as _, SendStream as _};
use tacket_tests::{ALERT, NAME, Owner, Scripted, server_params};
use tacket_tls::{
    Anchors, EngineError, GuardAes128, GuardAes256, GuardError, GuardSuite, GuardTrust,
    GuardedClientConfig, TlsError,
};

use super::certificates::NOW;
use super::guarded::{Guarded, Memory, client, memory};
use super::run;

pub(super) type Outcome = Result<(), TlsError<MemoryError>>;

/// Whom the client trusts, and a server with a certificate of theirs.
pub(super) struct World<C: GuardSuite = GuardAes128> {
    config: &'static GuardedClientConfig<'static, C>,
    pub(super) owner: Owner,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|config| config)
    }
}

impl World<GuardAes256> {
    pub(super) fn large() -> Self {
        Self::with(GuardedClientConfig::with_aes256)
    }
}

impl<C: GuardSuite> World<C> {
    /// With a configuration that `change` has changed.
    pub(super) fn with(
        change: impl FnOnce(GuardedClientConfig<'static>) -> GuardedClientConfig<'static, C>,
    ) -> Self {
        Self::asking_for(NAME, change)
    }

    /// With one for this name.
    pub(super) fn asking_for(
        name: &'static str,
        change: impl FnOnce(GuardedClientConfig<'static>) -> GuardedClientConfig<'static, C>,
    ) -> Self {
        let root = Owner::root("root");
        let owner = root.issue(server_params(&[NAME]));
        let roots = Box::leak(Box::new([root.der]));
        let anchors = Box::leak(Box::new(Anchors::from_certificates(roots).expect("a root")));
        let trust = GuardTrust::in_roots(anchors.as_slice()).expect("one");
        let config = GuardedClientConfig::new(trust, name, NOW).expect("a name");
        Self {
            config: Box::leak(Box::new(change(config))),
            owner,
        }
    }

    pub(super) fn client<const RX: usize, S>(&self, transport: S) -> Guarded<S, C> {
        client::<RX, 1024, _, _>(transport, self.config)
    }

    /// What a client makes of a server whose hello `change` has changed, and that goes on with `script`. What it tells the server is what
    /// the error wants.
    pub(super) fn outcome(
        &self,
        change: impl FnOnce(&mut Vec<u8>),
        script: impl for<'p> AsyncFnOnce(&mut Scripted<Memory<'p>>, &Owner),
    ) -> Outcome {
        let memory = memory();
        run(async {
            let (left, right) = memory.open().expect("a new pair");
            let mut client = self.client::<2048, _>(left);
            let serving = async {
                let mut scripted = Scripted::greet(right, change).await;
                script(&mut scripted, &self.owner).await;
                scripted
            };
            let (outcome, mut scripted) = join(client.do_handshake(), serving).await;
            if outcome.is_err() {
                client.negotiated().expect_err("nothing was agreed on");
                assert_eq!(client.do_handshake().await, outcome, "it stays so");
                assert_eq!(client.send_all(b"x").await, outcome, "nothing is sent");
                let received = client.receive_some(&mut [0; 4]).await;
                assert_eq!(received.map(drop), outcome, "nothing is received");
                client.close().await.expect("closes");
                let heard = scripted.hear().await;
                let told = heard.map(|inside| (inside[1], inside.last().copied()));
                let wanted = alert(refusal(outcome.clone()));
                assert_eq!(told, wanted.map(|alert| (alert, Some(ALERT))));
                assert_eq!(scripted.hear().await, None);
            }
            outcome
        })
    }

    pub(super) fn refusal(
        &self,
        script: impl for<'p> AsyncFnOnce(&mut Scripted<Memory<'p>>, &Owner),
    ) -> GuardError {
        refusal(self.outcome(|_| {}, script))
    }

    /// Runs `test` on a client that has shaken hands with a server that says what `test` wants.
    pub(super) fn in_traffic(
        &self,
        test: impl for<'p> AsyncFnOnce(Guarded<Memory<'p>, C>, Scripted<Memory<'p>>),
    ) {
        self.in_traffic_with::<2048>(test);
    }

    /// The same with room for longer records.
    pub(super) fn in_traffic_with<const RX: usize>(
        &self,
        test: impl for<'p> AsyncFnOnce(Guarded<Memory<'p>, C>, Scripted<Memory<'p>>),
    ) {
        let memory = memory();
        run(async {
            let (left, right) = memory.open().expect("a new pair");
            let mut client = self.client::<RX, _>(left);
            let serving = async {
                let mut scripted = Scripted::greet(right, |_| {}).await;
                scripted.be_honest(&self.owner).await;
                scripted.open_traffic().await;
                scripted
            };
            let (shaken, scripted) = join(client.do_handshake(), serving).await;
            shaken.expect("it is honest");
            test(client, scripted).await;
        });
    }
}

pub(super) fn refusal(outcome: Outcome) -> GuardError {
    match outcome {
        Err(TlsError::Engine(EngineError::Guard(error))) => error,
        other => panic!("not refused by the guard: {other:?}"),
    }
}

/// What a server is to hear of that (RFC 8446, 6.2).
pub(super) fn alert(error: GuardError) -> Option<u8> {
    match error {
        GuardError::Refused(_) => None,
        GuardError::Untrusted(error) => Some(error.alert() as u8),
        GuardError::Malformed => Some(50),
        GuardError::BadRecord => Some(20),
        GuardError::BadFinished => Some(51),
        GuardError::HelloRetry => Some(40),
        GuardError::IllegalExtension | GuardError::IllegalHello => Some(47),
        GuardError::UnofferedExtension => Some(110),
        GuardError::RecordTooLong { .. } => Some(22),
        _ => Some(10),
    }
}

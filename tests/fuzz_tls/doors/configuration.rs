//! What a configuration is made of: certificates and keys, fingerprints and names, as people give them.

use core::pin::pin;
use core::task::{Context, Poll};

use futures_util::future::join;
use tacket::testing::{MemoryPair, MemoryStream};
use tacket_tls::pki_types::CertificateDer;
use tacket_tls::pki_types::pem::PemObject as _;
use tacket_tls::{
    ClientConfig, ConfigError, Fingerprint, Identity, Provider, ServerConfig, TlsStream, Trust,
};

use super::algorithms::{provider, start_anew};
use super::parties::PAPERS;
use crate::NAME;
use crate::fuzz_tls::input::Input;
use crate::fuzz_tls::world::Woken;

/// Room for a flight of the handshake.
const ROOM: usize = 1 << 16;

/// What a fuzzer has made up: something valid, and what is changed in it.
#[derive(Clone, Debug)]
pub struct TlsConfigProgram {
    kind: u8,
    /// It begins with nothing instead.
    is_blank: bool,
    edits: Vec<(u16, u8, Vec<u8>)>,
}

impl TlsConfigProgram {
    /// Reads a program. Any bytes are one.
    #[must_use]
    pub fn parse(input: &[u8]) -> Self {
        let mut input = Input::new(input);
        let what = input.byte();
        let mut edits = Vec::new();
        while !input.is_empty() && edits.len() < 16 {
            edits.push((input.wide(), input.byte(), input.counted_bytes()));
        }
        Self {
            kind: what % 10,
            is_blank: what >= 200,
            edits,
        }
    }

    /// Makes a configuration of it, and uses that.
    ///
    /// # Panics
    ///
    /// If it trusts whom it should not, or fails in a way that is not documented.
    pub fn run(&self) {
        start_anew();
        let papers = &*PAPERS;
        match self.kind {
            0 => self.trust_in_pem(),
            1 => self.identity_in_pem(
                &self.edit(papers.certificate_pem.as_bytes()),
                papers.key_pem.as_bytes(),
            ),
            2 => self.identity_in_pem(
                papers.certificate_pem.as_bytes(),
                &self.edit(papers.key_pem.as_bytes()),
            ),
            3 => self.fingerprint(),
            4 => self.name_of_server(),
            5 => self.name_of_identity(),
            6 => self.trust_in_roots(),
            7 => self.certificate(),
            8 => self.key(),
            _ => self.protocols(),
        }
    }

    /// What is valid, changed.
    fn edit(&self, valid: &[u8]) -> Vec<u8> {
        let mut edited = match self.is_blank {
            true => Vec::new(),
            false => valid.to_vec(),
        };
        for (at, removed, bytes) in &self.edits {
            let at = usize::from(*at) % (edited.len() + 1);
            let removed = match removed {
                0..128 => usize::from(*removed),
                // The new bytes take the place of the old ones.
                _ => bytes.len(),
            };
            let end = edited.len().min(at + removed);
            edited.splice(at..end, bytes.iter().copied());
        }
        edited
    }

    fn edit_text(&self, valid: &str) -> String {
        String::from_utf8_lossy(&self.edit(valid.as_bytes())).into_owned()
    }

    fn trust_in_pem(&self) {
        let pem = self.edit(PAPERS.root_pem.as_bytes());
        match Trust::in_pem(&pem) {
            Ok(trust) => {
                let roots: Vec<_> = CertificateDer::pem_slice_iter(&pem).flatten().collect();
                check_trust(trust, &roots);
            }
            Err(error) => assert!(
                matches!(
                    error,
                    ConfigError::Pem(_) | ConfigError::NoRoots | ConfigError::Engine(_)
                ),
                "{error:?}"
            ),
        }
    }

    fn trust_in_roots(&self) {
        let root = CertificateDer::from(self.edit(&PAPERS.root));
        match Trust::in_roots([root.clone()]) {
            Ok(trust) => check_trust(trust, &[root]),
            Err(error) => assert!(matches!(error, ConfigError::Engine(_)), "{error:?}"),
        }
    }

    fn identity_in_pem(&self, certificates: &[u8], key: &[u8]) {
        match Identity::from_pem(certificates, key) {
            Ok(identity) => {
                let first = CertificateDer::pem_slice_iter(certificates)
                    .flatten()
                    .next();
                check_identity(identity, first.as_ref());
            }
            Err(error) => assert!(
                matches!(
                    error,
                    ConfigError::Pem(_) | ConfigError::NoCertificate | ConfigError::NoKey
                ),
                "{error:?}"
            ),
        }
    }

    fn certificate(&self) {
        let certificate = CertificateDer::from(self.edit(&PAPERS.certificate));
        let _ = Fingerprint::of_key(&certificate);
        let fingerprint = Fingerprint::of_certificate(&certificate);
        let is_same = fingerprint == Fingerprint::of_certificate(&PAPERS.certificate);
        assert_eq!(
            is_same,
            certificate == PAPERS.certificate,
            "{certificate:?}"
        );
        let identity = Identity::new(vec![certificate.clone()], PAPERS.key());
        check_identity(identity, Some(&certificate));
    }

    fn key(&self) {
        let key = self.edit(PAPERS.key().secret_der());
        if let Ok(key) = key.try_into() {
            let identity = Identity::new(vec![PAPERS.certificate.clone()], key);
            check_identity(identity, Some(&PAPERS.certificate));
        }
    }

    fn fingerprint(&self) {
        let Ok(real) = Fingerprint::of_certificate(&PAPERS.certificate) else {
            unreachable!("it is valid")
        };
        let text = self.edit_text(&real.to_string());
        match text.parse::<Fingerprint>() {
            Ok(fingerprint) => {
                assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
                let digits = |text: &str| text.replace(':', "").to_uppercase();
                assert_eq!(digits(&fingerprint.to_string()), digits(&text));
                let trust = Trust::in_certificates([fingerprint]);
                let is_trusted = trust.is_ok_and(|trust| meet(trust, PAPERS.identity(), NAME));
                assert_eq!(is_trusted, fingerprint == real, "{text}");
            }
            Err(error) => assert_eq!(error, ConfigError::InvalidFingerprint),
        }
    }

    fn name_of_server(&self) {
        let name = self.edit_text(NAME);
        if meet(PAPERS.trust(), PAPERS.identity(), &name) {
            assert!(is_name(&name), "{name:?}");
        }
    }

    fn name_of_identity(&self) {
        let name = self.edit_text(NAME);
        let built = ServerConfig::builder()
            .with_provider(own_provider())
            .with_name(&*name, PAPERS.identity())
            .build();
        match built {
            Ok(_) => assert!(is_name(&name), "{name:?}"),
            Err(error) => assert!(
                matches!(
                    error,
                    ConfigError::InvalidName | ConfigError::NameMismatch(_)
                ),
                "{error:?}"
            ),
        }
    }

    fn protocols(&self) {
        let names: Vec<_> = self.edits.iter().map(|(.., name)| name.repeat(9)).collect();
        let names: Vec<_> = names.iter().map(|name| &**name).collect();
        let config = config(PAPERS.trust()).with_alpn(&names);
        let made = TlsStream::client((), &config, NAME).map(drop);
        let is_valid = names.iter().all(|name| (1..256).contains(&name.len()));
        let expected = match is_valid {
            true => Ok(()),
            false => Err(ConfigError::InvalidProtocol),
        };
        assert_eq!(made, expected, "{names:?}");
    }
}

/// Whether it is the name in the certificate. A dot behind it says that nothing is missing.
fn is_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.eq_ignore_ascii_case(NAME)
}

fn own_provider() -> Provider {
    provider(false, false).into()
}

fn config(trust: Trust) -> ClientConfig {
    let built = ClientConfig::builder()
        .with_provider(own_provider())
        .with_trust(trust)
        .build();
    built.unwrap_or_else(|error| panic!("{error:?}"))
}

/// Who signed with another key is not trusted.
fn check_trust(trust: Trust, roots: &[CertificateDer<'_>]) {
    assert!(!roots.is_empty(), "trust in nobody");
    if meet(trust, PAPERS.identity(), NAME) {
        let key = &PAPERS.public_key;
        let has_key = |root: &CertificateDer<'_>| root.windows(key.len()).any(|part| part == key);
        assert!(roots.iter().any(has_key), "trust in somebody else");
    }
}

/// Only what the authority signed is trusted, and only with its key.
fn check_identity(identity: Identity, certificate: Option<&CertificateDer<'_>>) {
    let built = ServerConfig::builder()
        .with_provider(own_provider())
        .with_identity(identity.clone())
        .build();
    match built {
        Ok(_) => {
            if meet(PAPERS.trust(), identity, NAME) {
                assert_eq!(
                    certificate,
                    Some(&PAPERS.certificate),
                    "trust in another one"
                );
            }
        }
        Err(error) => assert!(
            matches!(error, ConfigError::KeyMismatch | ConfigError::Engine(_)),
            "{error:?}"
        ),
    }
}

/// Whether a client that trusts so and a server that is this one shake hands.
fn meet(trust: Trust, identity: Identity, name: &str) -> bool {
    let server = ServerConfig::builder()
        .with_provider(own_provider())
        .with_identity(identity)
        .build();
    let Ok(server) = server else {
        return false;
    };
    let memory = MemoryPair::new(vec![0; ROOM], vec![0; ROOM]);
    let Some((left, right)) = memory.open() else {
        unreachable!("it is new")
    };
    let client: Result<TlsStream<MemoryStream<'_, _>>, _> =
        TlsStream::client(left, &config(trust), name);
    let mut client = match client {
        Ok(client) => client,
        Err(error) => {
            assert_eq!(error, ConfigError::InvalidName);
            return false;
        }
    };
    let Ok(mut server) = TlsStream::server(right, &server) else {
        unreachable!("it has no protocols")
    };
    let shaking = join(
        async move {
            let shaken = client.do_handshake().await;
            // Whoever waits for it still is not to wait.
            drop(client);
            shaken
        },
        async move { drop(server.do_handshake().await) },
    );
    let (mut shaking, woken) = (pin!(shaking), Woken::new());
    while woken.take() {
        let waker = woken.waker();
        if let Poll::Ready((shaken, ())) = shaking.as_mut().poll(&mut Context::from_waker(&waker)) {
            return shaken.is_ok();
        }
    }
    panic!("somebody waits for what nobody will say")
}

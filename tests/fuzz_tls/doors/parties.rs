//! A stream that is under attack, and the configuration of its peer.

use alloc::sync::Arc;
use std::sync::LazyLock;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tacket_tls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tacket_tls::rustls::client::Resumption;
use tacket_tls::rustls::crypto::CryptoProvider;
use tacket_tls::rustls::server::{
    NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier,
};
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use tacket_tls::{Identity, Trust};

use super::algorithms::{provider, second_group, standing_clock};
use super::program::{Acquaintance, Options, Side};
use crate::NAME;

/// Certificates that are the same in each process.
pub(super) struct Papers {
    pub(super) root: CertificateDer<'static>,
    pub(super) root_pem: String,
    /// The authority's.
    pub(super) public_key: Vec<u8>,
    pub(super) certificate: CertificateDer<'static>,
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
    key: Vec<u8>,
}

#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
impl Papers {
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::new(vec![self.certificate.clone()], self.key())
    }

    pub(super) fn trust(&self) -> Trust {
        Trust::in_roots([self.root.clone()]).expect("a root")
    }
}

/// An Ed25519 key, which signs without randomness (RFC 8410, 7).
fn key(seed: u8) -> Vec<u8> {
    let mut key = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    key.extend([seed; 32]);
    key
}

#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
pub(super) static PAPERS: LazyLock<Papers> = LazyLock::new(|| {
    let pair = |seed| KeyPair::try_from(&PrivatePkcs8KeyDer::from(key(seed))).expect("a key");
    let mut params = CertificateParams::new([]).expect("no names");
    params
        .distinguished_name
        .push(DnType::CommonName, "the authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(params, pair(1)).expect("a certificate");
    let params = CertificateParams::new([NAME.to_owned()]).expect("a name");
    let own = pair(2);
    let certificate = params.signed_by(&own, &authority).expect("signs");
    Papers {
        root: authority.der().clone(),
        root_pem: authority.pem(),
        public_key: pair(1).public_key_raw().to_vec(),
        certificate: certificate.der().clone(),
        certificate_pem: certificate.pem(),
        key_pem: own.serialize_pem(),
        key: key(2),
    }
});

fn versions(options: Options) -> Vec<&'static SupportedProtocolVersion> {
    match options.is_tls12 {
        true => vec![&TLS12],
        false if options.knows_both_versions => vec![&TLS13, &TLS12],
        false => vec![&TLS13],
    }
}

/// A client and a server that trust each other. The one that is not `side` is the peer.
#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
pub(super) fn configurations(side: Side, options: Options) -> (ClientConfig, ServerConfig) {
    let papers = &*PAPERS;
    let mut roots = RootCertStore::empty();
    roots.add(papers.root.clone()).expect("a root");
    let roots = Arc::new(roots);
    let of = |own| provider(options.is_blind, side != own);
    let client_provider = of(Side::Client);
    let mut server_provider = of(Side::Server);
    if options.asks_again {
        server_provider.kx_groups = second_group();
    }
    let client = client(options, client_provider.into(), Arc::clone(&roots));
    let server = server(options, server_provider.into(), roots);
    (client.expect("it is valid"), server.expect("it is valid"))
}

fn client(
    options: Options,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
) -> Result<ClientConfig, tacket_tls::rustls::Error> {
    let builder = ClientConfig::builder_with_details(provider, standing_clock())
        .with_protocol_versions(&versions(options))?
        .with_root_certificates(roots);
    let mut client = match options.acquaintance {
        Acquaintance::None => builder.with_no_client_auth(),
        _ => builder.with_client_auth_cert(vec![PAPERS.certificate.clone()], PAPERS.key())?,
    };
    client.resumption = match options.resumes {
        true => Resumption::in_memory_sessions(4),
        false => Resumption::disabled(),
    };
    if options.has_alpn {
        client.alpn_protocols = vec![b"one".to_vec(), b"two".to_vec()];
    }
    Ok(client)
}

#[expect(clippy::expect_used, reason = "what is made here is known to be valid")]
fn server(
    options: Options,
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
) -> Result<ServerConfig, tacket_tls::rustls::Error> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
    let verifier = match options.acquaintance {
        Acquaintance::None => None,
        Acquaintance::Optional => Some(verifier.allow_unauthenticated()),
        Acquaintance::Mandatory => Some(verifier),
    };
    let builder = ServerConfig::builder_with_details(provider, standing_clock())
        .with_protocol_versions(&versions(options))?;
    let builder = match verifier {
        None => builder.with_no_client_auth(),
        Some(verifier) => {
            builder.with_client_cert_verifier(verifier.build().expect("there is a root"))
        }
    };
    let mut server = builder.with_single_cert(vec![PAPERS.certificate.clone()], PAPERS.key())?;
    server.session_storage = match options.resumes {
        true => ServerSessionMemoryCache::new(4),
        false => Arc::new(NoServerSessionStorage {}),
    };
    if options.has_alpn {
        server.alpn_protocols = vec![b"two".to_vec()];
    }
    Ok(server)
}

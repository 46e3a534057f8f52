//! Many clients in one process, the same for every server: blocking sockets, and rustls as it is.

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use socket2::SockRef;
use tacket_tls::pki_types::{CertificateDer, ServerName, UnixTime};
use tacket_tls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tacket_tls::rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use tacket_tls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

use crate::ends::{name, provider};
use crate::speed::game::{BALL, check, question};
use crate::speed::values::Values;

#[derive(Debug)]
pub(crate) struct Crowd {
    server: SocketAddr,
    config: Arc<ClientConfig>,
    clients: Vec<StreamOwned<ClientConnection, TcpStream>>,
}

impl Crowd {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Anybody))
            .with_no_client_auth();
        Self {
            server,
            config: config.into(),
            clients: Vec::new(),
        }
    }

    /// Connects clients until there are `count`. Each has asked and been answered once: the server has them all.
    pub(crate) fn connect(&mut self, count: usize) {
        while self.clients.len() < count {
            let stream = TcpStream::connect(self.server).unwrap();
            stream.set_nodelay(true).unwrap();
            // A reset leaves no port behind that nobody can have for a minute.
            let linger = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            linger.unwrap();
            let tls = ClientConnection::new(Arc::clone(&self.config), name()).unwrap();
            let mut client = StreamOwned::new(tls, stream);
            ask(&mut client, 0);
            self.clients.push(client);
        }
    }

    /// Lets each client ask `rounds` times, one after another.
    pub(crate) fn play(&mut self, rounds: u64) -> Values {
        let started = Instant::now();
        for number in 1..=rounds {
            for client in &mut self.clients {
                ask(client, number);
            }
        }
        let count = self.clients.len() as f64 * rounds as f64;
        let seconds = started.elapsed().as_secs_f64();
        Values::from([("per_second", count / seconds)])
    }
}

fn ask(client: &mut StreamOwned<ClientConnection, TcpStream>, number: u64) {
    client.write_all(&question(number)).unwrap();
    client.flush().unwrap();
    let mut answer = [0; BALL];
    client.read_exact(&mut answer).unwrap();
    check(number, &answer);
}

/// Trusts whoever proves to have the key of the certificate that he shows. The server makes that in a process of its own, and who
/// it is does not matter here.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = provider();
        provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

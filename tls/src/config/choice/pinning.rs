//! Trust in certain certificates or keys, whoever signed them.

use alloc::sync::Arc;
use alloc::vec::Vec;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::fingerprint::Fingerprint;

/// What a fingerprint is of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pinned {
    Certificate,
    Key,
}

/// Accepts a peer whose certificate, or key, is one of a few. That it has the key, its signature proves, as ever.
///
/// The comparison may take as long as it likes: what is compared is public.
#[derive(Debug)]
pub(super) struct PinningVerifier {
    pub(super) pinned: Pinned,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) provider: Arc<CryptoProvider>,
    /// Of clients: whether each must have one.
    pub(super) mandatory: bool,
}

impl PinningVerifier {
    fn verify(&self, certificate: &CertificateDer<'_>) -> Result<(), Error> {
        let fingerprint = match self.pinned {
            Pinned::Certificate => Fingerprint::of(certificate, &self.provider),
            Pinned::Key => Fingerprint::of_its_key(certificate, &self.provider),
        }?;
        if self.fingerprints.contains(&fingerprint) {
            Ok(())
        } else {
            Err(CertificateError::ApplicationVerificationFailure.into())
        }
    }
}

/// That the peer has the key of its certificate. rustls asks about servers and clients in the same words, in two traits.
macro_rules! check_signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls12_signature(message, certificate, signature, algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            let algorithms = &self.provider.signature_verification_algorithms;
            verify_tls13_signature(message, certificate, signature, algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            let algorithms = &self.provider.signature_verification_algorithms;
            algorithms.supported_schemes()
        }
    };
}

impl ServerCertVerifier for PinningVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    check_signatures!();
}

impl ClientCertVerifier for PinningVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity)?;
        Ok(ClientCertVerified::assertion())
    }

    check_signatures!();
}

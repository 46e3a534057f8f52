//! The table of `CAPABILITIES.md`, kept true: each test build shows the column that is about it.

mod allocations;
#[cfg(feature = "rustls")]
mod claims;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod desktop_claims;
#[cfg(not(feature = "rustls"))]
mod guard_claims;
#[cfg(not(feature = "rustls"))]
mod guard_parties;
mod hello;
#[cfg(feature = "rustls")]
mod network;
#[cfg(feature = "rustls")]
mod parties;
mod stumbling;

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use std::panic::catch_unwind;

#[cfg(feature = "rustls")]
use claims as own;
#[cfg(not(feature = "rustls"))]
use guard_claims as own;

const TABLE: &str = include_str!("../../CAPABILITIES.md");

/// Whether this build has a provider of ours.
const IS_PROVIDED: bool = cfg!(any(feature = "ring", feature = "aws-lc-rs"));

/// Whether its engine is the one without a heap.
const IS_GUARDED: bool = !cfg!(feature = "rustls");

/// The features that a cell can name, and whether this build has them.
const FEATURES: [(&str, bool); 6] = [
    ("aws-lc-rs", cfg!(feature = "aws-lc-rs")),
    ("ed25519", cfg!(feature = "ed25519")),
    ("p384", cfg!(feature = "p384")),
    (
        "platform-roots",
        IS_PROVIDED && cfg!(feature = "platform-roots"),
    ),
    ("ring", cfg!(feature = "ring")),
    ("rustls", !IS_GUARDED),
];

/// Which column is about this build.
const COLUMN: usize = if IS_GUARDED {
    3
} else if cfg!(feature = "std") {
    1
} else {
    2
};

/// What shows that a capability is there, or is not.
#[derive(Clone, Copy)]
enum Proof {
    /// Doing it, or seeing it refused.
    Run(fn()),
    /// The item that begins so, in this source, is only there with features that this build does not have.
    Gated(&'static str, &'static str),
    /// An example of the documentation that has this, and must not compile.
    NotCompiled(&'static str),
}

use Proof::{Gated, NotCompiled, Run};

/// A row, with what shows a yes and what shows a no.
type Claim = (&'static str, Option<Proof>, Option<Proof>);

const ABSENT: &str = include_str!("../guard/absent.rs");
const CONFIG: &str = include_str!("../config/mod.rs");
const LIB: &str = include_str!("../lib.rs");
const PROVIDER: &str = include_str!("../config/choice/provider.rs");
const TRUST: &str = include_str!("../config/choice/trust.rs");

/// A claim that only builds with some features can make.
macro_rules! only {
    ($gate:meta, $claim:path) => {{
        #[cfg($gate)]
        let proof = Some(Run($claim));
        #[cfg(not($gate))]
        let proof = None;
        proof
    }};
}

/// A claim that needs one of our providers.
macro_rules! provided {
    ($claim:ident) => {
        only!(
            any(feature = "ring", feature = "aws-lc-rs"),
            desktop_claims::$claim
        )
    };
}

/// A claim of builds with rustls.
macro_rules! rustls {
    ($claim:path) => {
        only!(feature = "rustls", $claim)
    };
}

/// A claim of the build whose engine needs no heap.
macro_rules! guarded {
    ($claim:ident) => {
        only!(not(feature = "rustls"), guard_claims::$claim)
    };
}

const fn yes(claim: fn()) -> Option<Proof> {
    Some(Run(claim))
}

#[rustfmt::skip]
const CLAIMS: &[Claim] = &[
    ("client", yes(own::client_and_server), None),
    ("server", rustls!(claims::client_and_server), Some(NotCompiled("::server("))),
    ("runs without a heap", guarded!(no_heap), rustls!(claims::a_heap)),
    ("TLS 1.3", yes(own::tls13), None),
    ("TLS 1.2", provided!(tls12), yes(own::no_tls12)),
    ("half-close by `send_eof`, TLS 1.3", yes(own::half_close), None),
    ("half-close by `send_eof`, TLS 1.2", provided!(half_close_of_tls12), yes(own::no_tls12)),
    ("both ends authenticated by `shutdown`", yes(own::shutdown), None),
    ("`unwrap`, with the bytes behind the peer's end", rustls!(claims::unwrap), Some(NotCompiled(".unwrap()"))),
    ("a start with bytes already read, by `with_received`", rustls!(claims::start_with_received), Some(NotCompiled(".with_received("))),
    ("a handshake that goes on after a drop", rustls!(claims::handshake_with_drops), guarded!(no_handshake_with_drops)),
    ("a handshake that goes on after an error of the transport that passes", rustls!(claims::handshake_with_errors), guarded!(no_handshake_with_errors)),
    ("messages in several records", rustls!(claims::parted_messages), guarded!(no_parted_messages)),
    ("change of keys by `update_keys`", rustls!(claims::key_updates), Some(NotCompiled(".update_keys()"))),
    ("change of keys by the peer", rustls!(claims::key_updates), guarded!(no_key_updates)),
    ("change of keys in TLS 1.2", None, if IS_PROVIDED { provided!(no_key_update_of_tls12) } else { yes(own::no_tls12) }),
    ("resumption, with what configurations come with", rustls!(claims::resumption), yes(own::no_resumption)),
    ("ALPN: a client offers protocols", yes(own::alpn_offer), None),
    ("ALPN: both sides know which was chosen", rustls!(claims::alpn), Some(NotCompiled(".alpn_protocol()"))),
    ("SNI: a client asks for a name", yes(own::asked_name), None),
    ("SNI: a server chooses its certificate by the name", rustls!(claims::certificate_by_name), Some(NotCompiled("::server("))),
    ("SNI: a server knows the name that it was asked for", rustls!(claims::asked_name), Some(NotCompiled("::server("))),
    ("the peer's certificates", rustls!(claims::peer_certificates), Some(NotCompiled(".peer_certificates()"))),
    ("client certificates", yes(own::client_certificates), None),
    ("pre-shared keys (PSK)", guarded!(psk), rustls!(claims::no_psk)),
    ("builders: PEM, several names", provided!(builders), Some(Gated(LIB, "ClientConfigBuilder, Identity, Provider"))),
    ("pins of certificates and keys", if IS_GUARDED { guarded!(pins) } else { provided!(builders) }, if IS_GUARDED { None } else { Some(Gated(LIB, "ClientConfigBuilder, Identity, Provider")) }),
    ("certificates with keys of RSA", rustls!(claims::rsa), guarded!(no_rsa)),
    ("certificates with keys of P-384", only!(any(feature = "rustls", feature = "p384"), own::p384), guarded!(no_p384)),
    ("certificates with keys of Ed25519", only!(any(feature = "rustls", feature = "ed25519"), own::ed25519), guarded!(no_ed25519)),
    ("lists of revoked certificates", rustls!(claims::revocation), Some(NotCompiled(".with_crls("))),
    ("trust in whom the operating system trusts", only!(all(feature = "platform-roots", any(feature = "ring", feature = "aws-lc-rs")), desktop_claims::platform_roots), Some(Gated(TRUST, "pub const fn in_platform"))),
    ("a log of the keys", provided!(key_log), Some(Gated(CONFIG, "mod choice"))),
    ("keying material (exporter)", None, Some(NotCompiled("export_keying_material"))),
    ("early data", None, yes(own::no_early_data)),
    ("TLS in TLS", yes(own::tls_in_tls), None),
    ("halves of their own, by `into_split`", rustls!(claims::owned_halves), Some(NotCompiled(".into_split()"))),
    ("TLS over the TCP of any network, by `open_tls_over_tcp_stream`", if IS_GUARDED { guarded!(over_tcp) } else { rustls!(network::client_and_server) }, None),
    ("servers with a limit for each handshake, by `serve_tls_over_tcp`", rustls!(network::limit_of_handshakes), Some(Gated(LIB, "WithHandshake, WithHandshakeError"))),
    ("provider `ring`", only!(feature = "ring", desktop_claims::provider_ring), Some(Gated(PROVIDER, "pub fn ring"))),
    ("provider AWS-LC", only!(feature = "aws-lc-rs", desktop_claims::provider_aws_lc_rs), Some(Gated(PROVIDER, "pub fn aws_lc_rs"))),
    ("a provider of your own", rustls!(claims::own_provider), Some(NotCompiled(".with_provider("))),
    ("key exchange P-256", yes(own::p256), None),
    ("key exchange X25519", rustls!(claims::x25519), guarded!(no_x25519)),
    ("key exchange X25519MLKEM768", only!(feature = "aws-lc-rs", desktop_claims::hybrid_key_exchange), yes(own::no_hybrid_key_exchange)),
    ("AES-GCM", yes(own::aes), None),
    ("ChaCha20-Poly1305", rustls!(claims::own_provider), guarded!(no_chacha20)),
    ("shorter records, by `max_fragment_size` or `with_max_fragment`", yes(own::short_records), None),
    ("asking the peer for shorter records", guarded!(request_for_short_records), rustls!(claims::no_request_for_short_records)),
];

fn rows() -> Vec<Vec<&'static str>> {
    let lines = TABLE.lines().filter(|line| line.starts_with("| "));
    // Without the head, and the line below it.
    let rows = lines.skip(2);
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect())
        .collect()
}

#[test]
fn every_row_of_the_table_has_a_claim_and_every_claim_a_row() {
    let rows: Vec<_> = rows().iter().map(|row| row[0]).collect();
    let claims: Vec<_> = CLAIMS.iter().map(|claim| claim.0).collect();
    assert_eq!(rows, claims);
}

/// Whether this build has what a cell is about.
fn says_yes(cell: &str) -> bool {
    match cell {
        "yes" => true,
        "no" => false,
        names => names.split(" or ").any(|name| {
            let name = name.trim_matches('`');
            let known = FEATURES.iter().find(|(known, _)| *known == name);
            known.unwrap_or_else(|| panic!("no feature: {name}")).1
        }),
    }
}

#[test]
fn what_the_table_says_of_this_build_is_true() {
    let mut wrong: Vec<String> = Vec::new();
    for (row, (name, yes, no)) in rows().iter().zip(CLAIMS) {
        let cell = row[COLUMN];
        let proof = if says_yes(cell) { *yes } else { *no };
        let shown = match proof {
            None => false,
            Some(Run(claim)) => catch_unwind(claim).is_ok(),
            Some(Gated(source, item)) => is_gated(source, item),
            Some(NotCompiled(call)) => is_said_not_to_compile(call),
        };
        if !shown {
            wrong.push((*name).to_owned() + ": " + cell);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether this item only is there with features that this build does not have.
fn is_gated(source: &str, item: &str) -> bool {
    let (before, _) = source.split_once(item).expect("the item is there");
    let Some((_, gate)) = before.rsplit_once("#[cfg(") else {
        return false;
    };
    // Nothing but the item may stand between it and its gate.
    let is_its_own = !gate.contains("\n\n") && !gate.contains(['}', ';']);
    let mut names = gate.split("feature = \"").skip(1);
    let is_off = |name: &str| {
        let name = name.split('"').next();
        let known = FEATURES.iter().find(|(known, _)| Some(*known) == name);
        known.is_some_and(|(_, is_on)| !is_on)
    };
    is_its_own && gate.contains("feature") && names.all(is_off)
}

/// Whether an example that is said not to compile has this call. That it does not, rustdoc sees to.
fn is_said_not_to_compile(call: &str) -> bool {
    let text = if IS_GUARDED { ABSENT } else { TABLE };
    let examples = text.split("```compile_fail,E0599\n").skip(1);
    examples
        .filter_map(|example| example.split("```").next())
        .any(|example| example.contains(call))
}

#[test]
fn a_gate_is_a_gate_only_of_the_item_that_it_stands_before() {
    assert!(!is_gated(LIB, "mod pump"));
    assert!(!is_gated(
        "#[cfg(feature = \"ring\")]\nmod a;\n\nmod b;",
        "mod b"
    ));
    let always = "#[cfg(feature = \"std\")]\nmod a;";
    assert!(!is_gated(always, "mod a"), "a feature that is of no cell");
}

#[test]
fn a_cell_that_names_no_feature_is_refused() {
    assert!(catch_unwind(|| says_yes("perhaps")).is_err());
}

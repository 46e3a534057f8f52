//! The table of `CAPABILITIES.md`, kept true: each test build shows the column that is about it.

mod claims;
#[cfg(any(feature = "ring", feature = "aws-lc-rs"))]
mod desktop_claims;
mod network;
mod parties;

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;
use std::panic::catch_unwind;

const TABLE: &str = include_str!("../../CAPABILITIES.md");

/// Whether this build has a provider of ours.
const IS_PROVIDED: bool = cfg!(any(feature = "ring", feature = "aws-lc-rs"));

/// The features that a cell can name, and whether this build has them.
const FEATURES: [(&str, bool); 3] = [
    ("aws-lc-rs", cfg!(feature = "aws-lc-rs")),
    (
        "platform-roots",
        IS_PROVIDED && cfg!(feature = "platform-roots"),
    ),
    ("ring", cfg!(feature = "ring")),
];

/// Which column is about this build.
const COLUMN: usize = if cfg!(feature = "std") { 1 } else { 2 };

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

const CONFIG: &str = include_str!("../config/mod.rs");
const LIB: &str = include_str!("../lib.rs");
const PROVIDER: &str = include_str!("../config/choice/provider.rs");
const TRUST: &str = include_str!("../config/choice/trust.rs");

/// A claim that only builds with some features can make.
macro_rules! only {
    ($gate:meta, $claim:ident) => {{
        #[cfg($gate)]
        let proof = Some(Run(desktop_claims::$claim));
        #[cfg(not($gate))]
        let proof = None;
        proof
    }};
}

/// A claim that needs one of our providers.
macro_rules! provided {
    ($claim:ident) => {
        only!(any(feature = "ring", feature = "aws-lc-rs"), $claim)
    };
}

const fn yes(claim: fn()) -> Option<Proof> {
    Some(Run(claim))
}

#[rustfmt::skip]
const CLAIMS: &[Claim] = &[
    ("client", yes(claims::client_and_server), None),
    ("server", yes(claims::client_and_server), None),
    ("TLS 1.3", yes(claims::tls13), None),
    ("TLS 1.2", provided!(tls12), yes(claims::no_tls12)),
    ("half-close by `send_eof`, TLS 1.3", yes(claims::half_close), None),
    ("half-close by `send_eof`, TLS 1.2", provided!(half_close_of_tls12), yes(claims::no_tls12)),
    ("both ends authenticated by `shutdown`", yes(claims::shutdown), None),
    ("`unwrap`, with the bytes behind the peer's end", yes(claims::unwrap), None),
    ("a start with bytes already read, by `with_received`", yes(claims::start_with_received), None),
    ("a handshake that goes on after a drop", yes(claims::handshake_with_drops), None),
    ("change of keys by `update_keys`", yes(claims::key_updates), None),
    ("change of keys by the peer", yes(claims::key_updates), None),
    ("change of keys in TLS 1.2", None, if IS_PROVIDED { provided!(no_key_update_of_tls12) } else { yes(claims::no_tls12) }),
    ("resumption, with what configurations come with", yes(claims::resumption), yes(claims::no_resumption)),
    ("ALPN", yes(claims::alpn), None),
    ("SNI: a client asks for a name", yes(claims::asked_name), None),
    ("SNI: a server chooses its certificate by the name", yes(claims::certificate_by_name), None),
    ("SNI: a server knows the name that it was asked for", yes(claims::asked_name), None),
    ("the peer's certificates", yes(claims::peer_certificates), None),
    ("client certificates", yes(claims::client_certificates), None),
    ("builders: PEM, several names, pins", provided!(builders), Some(Gated(LIB, "ClientConfigBuilder, Identity, Provider"))),
    ("trust in whom the operating system trusts", only!(all(feature = "platform-roots", any(feature = "ring", feature = "aws-lc-rs")), platform_roots), Some(Gated(TRUST, "pub const fn in_platform"))),
    ("a log of the keys", provided!(key_log), Some(Gated(CONFIG, "mod choice"))),
    ("keying material (exporter)", None, Some(NotCompiled("export_keying_material"))),
    ("early data", None, yes(claims::no_early_data)),
    ("TLS in TLS", yes(claims::tls_in_tls), None),
    ("halves of their own, by `into_split`", yes(claims::owned_halves), None),
    ("TLS over the TCP of any network, by `open_tls_over_tcp_stream`", yes(network::client_and_server), None),
    ("servers with a limit for each handshake, by `serve_tls_over_tcp`", yes(network::limit_of_handshakes), None),
    ("provider `ring`", only!(feature = "ring", provider_ring), Some(Gated(PROVIDER, "pub fn ring"))),
    ("provider AWS-LC", only!(feature = "aws-lc-rs", provider_aws_lc_rs), Some(Gated(PROVIDER, "pub fn aws_lc_rs"))),
    ("a provider of your own", yes(claims::own_provider), None),
    ("key exchange X25519MLKEM768", only!(feature = "aws-lc-rs", hybrid_key_exchange), yes(claims::no_hybrid_key_exchange)),
    ("shorter records, by `max_fragment_size`", yes(claims::short_records), None),
    ("asking the peer for shorter records", None, yes(claims::no_request_for_short_records)),
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
    let is_its_own = !gate.contains("\n\n") && !gate.contains('}');
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
    let examples = TABLE.split("```compile_fail,E0599\n").skip(1);
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

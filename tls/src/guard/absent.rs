//! What this engine does not have, each in a call that does not compile. The table of capabilities stands on that.
//!
//! ```compile_fail,E0599
//! use tacket_tls::{GuardedEngine, TlsStream};
//! fn serve<S>(transport: S) {
//!     let _ = TlsStream::<S, GuardedEngine<'static>>::server(transport, &todo!());
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use tacket_tls::{GuardedEngine, TlsStream};
//! async fn go_back<S: tacket::Split>(stream: TlsStream<S, GuardedEngine<'static>>) {
//!     let _ = stream.unwrap().await;
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use tacket_tls::{GuardedEngine, TlsStream};
//! fn go_on<S: tacket::Split>(stream: TlsStream<S, GuardedEngine<'static>>) {
//!     let _ = stream.with_received(b"what came before");
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use tacket_tls::{GuardedEngine, TlsStream};
//! async fn change<S: tacket::Split>(mut stream: TlsStream<S, GuardedEngine<'static>>) {
//!     let _ = stream.update_keys().await;
//! }
//! ```
//!
//! ```compile_fail,E0599
//! use tacket::{IntoSplit, Split};
//! use tacket_tls::{GuardedEngine, TlsStream};
//! fn part<S: Split + IntoSplit>(stream: TlsStream<S, GuardedEngine<'static>>) {
//!     let _ = stream.into_split();
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn look_at(negotiated: tacket_tls::GuardNegotiated) {
//!     let _ = negotiated.alpn_protocol();
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn look_at(negotiated: tacket_tls::GuardNegotiated) {
//!     let _ = negotiated.peer_certificates();
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn look_up(config: tacket_tls::GuardedClientConfig<'static>) {
//!     let _ = config.with_crls(&[]);
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn exchange(config: tacket_tls::GuardedClientConfig<'static>) {
//!     let _ = config.with_provider(());
//! }
//! ```
//!
//! ```compile_fail,E0599
//! fn bind_to_channel(negotiated: tacket_tls::GuardNegotiated) {
//!     let _ = negotiated.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None);
//! }
//! ```

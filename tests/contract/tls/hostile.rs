//! What a peer can do that has the keys of the session: records that break the rules, and floods of those that do not.

use core::pin::Pin;

use embedded_io_async::Write as _;
use futures_util::FutureExt as _;
use tacket::testing::{MemoryError, MemoryStream};
use tacket::{AsyncResource, HalfCloseable, ReceiveStream, SendStream};
use tacket_tls::rustls::version::{TLS12, TLS13};
use tacket_tls::rustls::{
    AlertDescription, ContentType, Error as Rustls, PeerMisbehaved, SupportedProtocolVersion,
};
use tacket_tls::{EngineError, TlsError, TlsStream};

use super::adversary::{Adversary, Subject};
use super::{memory, run};

use AlertDescription::{DecodeError, IllegalParameter, RecordOverflow, UnexpectedMessage};
use ContentType::{Alert, ApplicationData, ChangeCipherSpec, Handshake, Unknown};
use Subject::{Client, Server};

/// Messages of the handshake (RFC 8446, 4).
const HELLO_REQUEST: [u8; 4] = [0, 0, 0, 0];
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
const KEY_UPDATE_PLEASE: [u8; 5] = [24, 0, 0, 1, 1];

/// What the caller is told: in the words of rustls, as far as they matter.
type Expected = fn(&Rustls) -> bool;

/// The version, who it is done to, what is said in protected records, what the caller is told, and what the peer is.
type Case<'a> = (
    &'static SupportedProtocolVersion,
    &'a [Subject],
    &'a [(ContentType, &'a [u8])],
    Expected,
    Option<AlertDescription>,
);

const BOTH: &[Subject] = &[Client, Server];

fn is_misbehaviour(error: &Rustls) -> bool {
    matches!(error, Rustls::PeerMisbehaved(_))
}

fn is_invalid(error: &Rustls) -> bool {
    matches!(error, Rustls::InvalidMessage(_))
}

fn is_out_of_place(error: &Rustls) -> bool {
    matches!(
        error,
        Rustls::InappropriateMessage { .. } | Rustls::InappropriateHandshakeMessage { .. }
    )
}

fn is_alert(error: &Rustls) -> bool {
    matches!(error, Rustls::AlertReceived(_))
}

fn is_oversize(error: &Rustls) -> bool {
    matches!(error, Rustls::PeerSentOversizedRecord)
}

#[test]
fn a_record_that_breaks_the_rules_under_the_keys_of_the_session_is_refused_with_its_reason() {
    let long = vec![7; (1 << 14) + 1];
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        // The peer gives up, and is told nothing any more.
        (&TLS12, BOTH, &[(Alert, &[2, 40])], is_alert, None),
        (&TLS13, BOTH, &[(Alert, &[2, 40])], is_alert, None),
        (&TLS13, BOTH, &[(Alert, &[1, 40])], is_alert, Some(DecodeError)),
        (&TLS12, BOTH, &[(Alert, &[3, 0])], is_alert, Some(IllegalParameter)),
        (&TLS13, BOTH, &[(Alert, &[3, 0])], is_alert, Some(IllegalParameter)),
        (&TLS12, BOTH, &[(Alert, &[1])], is_invalid, Some(DecodeError)),
        (&TLS13, BOTH, &[(Alert, &[1])], is_invalid, Some(DecodeError)),
        (&TLS13, BOTH, &[(Alert, &[1, 0, 0])], is_invalid, Some(DecodeError)),
        (&TLS13, BOTH, &[(Alert, &[])], is_invalid, Some(DecodeError)),
        // Longer than a record may be.
        (&TLS12, BOTH, &[(ApplicationData, &long)], is_oversize, Some(RecordOverflow)),
        (&TLS13, BOTH, &[(ApplicationData, &long)], is_oversize, Some(RecordOverflow)),
        // Types that have no place here.
        (&TLS12, BOTH, &[(ChangeCipherSpec, &[1])], is_invalid, Some(DecodeError)),
        (&TLS13, BOTH, &[(ChangeCipherSpec, &[1])], is_misbehaviour, Some(UnexpectedMessage)),
        (&TLS13, BOTH, &[(Unknown(99), &[1])], is_invalid, Some(DecodeError)),
        // A handshake in the middle.
        (&TLS13, BOTH, &[(Handshake, &[20, 0, 0, 1, 0])], is_out_of_place, Some(UnexpectedMessage)),
        (&TLS13, BOTH, &[(Handshake, &HELLO_REQUEST)], is_out_of_place, Some(UnexpectedMessage)),
        (&TLS12, BOTH, &[(Handshake, &[20, 0, 0, 1, 0])], is_out_of_place, Some(UnexpectedMessage)),
        (&TLS12, &[Server], &[(Handshake, &HELLO_REQUEST)], is_out_of_place, Some(UnexpectedMessage)),
        // Keys: no such request, a change in the middle of a record, and of a message.
        (&TLS13, BOTH, &[(Handshake, &[24, 0, 0, 1, 2])], is_invalid, Some(IllegalParameter)),
        (&TLS13, BOTH, &[(Handshake, &[24, 0, 0, 0])], is_invalid, Some(DecodeError)),
        (&TLS13, BOTH, &[(Handshake, &[24, 0, 0, 1, 0, 24])], is_misbehaviour, Some(UnexpectedMessage)),
        (&TLS12, BOTH, &[(Handshake, &KEY_UPDATE)], is_out_of_place, Some(UnexpectedMessage)),
        // A message in parts, and something else between them: refused, but rustls says nothing to the peer then.
        (&TLS13, BOTH, &[(Handshake, &[24, 0]), (ApplicationData, b"x")], is_misbehaviour, None),
        (&TLS13, BOTH, &[(Handshake, &[24, 0]), (Alert, &[1, 0])], is_misbehaviour, None),
        // A message that says it is longer than any is, and padding with no type before it: the same.
        (&TLS13, BOTH, &[(Handshake, &[4, 1, 0, 0])], is_invalid, None),
        (&TLS13, BOTH, &[(Unknown(0), &[0, 0, 0])], is_misbehaviour, None),
    ];
    let mut wrong = Vec::new();
    for (version, subjects, records, expected, alert) in cases {
        for subject in *subjects {
            let (error, told) = run(refusal(*subject, version, records));
            if !expected(&error) || told != *alert {
                let (first, start) = (records[0].0, &records[0].1[..records[0].1.len().min(8)]);
                let context = (subject, version.version, first, start);
                wrong.push(format!("{context:?}: {error:?}, and tells {told:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What the subject tells its caller, for good, and its peer when that has said this.
async fn refusal(
    subject: Subject,
    version: &'static SupportedProtocolVersion,
    records: &[(ContentType, &[u8])],
) -> (Rustls, Option<AlertDescription>) {
    let memory = memory();
    let (mut tls, mut adversary) = Adversary::meet(subject, version, &memory).await;
    adversary.say(ApplicationData, b"before").await;
    for (typ, content) in records {
        adversary.say(*typ, content).await;
    }
    let mut buf = [0; 64];
    assert_eq!(tls.receive_some(&mut buf).await, Ok(6));
    let received = tls.receive_some(&mut buf).now_or_never();
    let Some(Err(TlsError::Engine(EngineError::Rustls(error)))) = received else {
        panic!("{subject:?}, {records:?}: {received:?}")
    };
    let same = Err(TlsError::Engine(EngineError::Rustls(error.clone())));
    assert_eq!(tls.receive_some(&mut buf).await, same);
    assert_eq!(tls.send_all(b"x").await.map(|()| 0), same);
    tls.close().await.expect("closes");
    (error, adversary.hear_alert().await)
}

/// Does one more thing with a stream that has failed, and then closes it.
type Next = for<'t, 'p> fn(
    &'t mut TlsStream<MemoryStream<'p, Vec<u8>>>,
) -> Pin<Box<dyn Future<Output = Option<TlsError<MemoryError>>> + 't>>;

/// Data goes before the failure behind it, and the caller need not receive again.
#[test]
fn the_peer_is_told_of_a_failure_behind_data_whatever_is_done_next() {
    let nexts: [Next; 8] = [
        |tls| Box::pin(async { tls.send_all(b"x").await.err() }),
        |tls| Box::pin(async { tls.write(b"x").await.err() }),
        |tls| Box::pin(async { tls.send_eof().await.err() }),
        |tls| Box::pin(async { tls.update_keys().await.err() }),
        |tls| Box::pin(async { tls.wait_send_all_might_not_block().await.err() }),
        |tls| Box::pin(async { tls.shutdown().await.err() }),
        |tls| Box::pin(async { tls.do_handshake().await.err() }),
        |_| Box::pin(async { None }), // the close alone
    ];
    for next in nexts {
        for subject in [Client, Server] {
            let memory = memory();
            run(async {
                let (mut tls, mut adversary) = Adversary::meet(subject, &TLS13, &memory).await;
                let mut records = adversary.seal(ApplicationData, b"data");
                records.extend(adversary.seal(Handshake, &HELLO_REQUEST));
                let said = adversary.wire.send_all(&records).await;
                said.expect("there is room");
                assert_eq!(tls.receive_some(&mut [0; 64]).await, Ok(4));
                let reason = next(&mut tls).await;
                assert!(
                    matches!(reason, Some(TlsError::Engine(_)) | None),
                    "{reason:?}"
                );
                tls.close().await.expect("closes");
                let told = adversary.hear_alert().await;
                assert_eq!(told, Some(UnexpectedMessage), "{subject:?}");
                assert_eq!(adversary.hear().await, None, "it is told once");
            });
        }
    }
}

/// Why a flood was refused, and what the peer was told.
type Refusal = (TlsError<MemoryError>, Option<AlertDescription>);

/// How many of the records `flood` the subject takes, at most `most`, before it refuses; and what it says then.
async fn taken_of_a_flood(
    subject: Subject,
    version: &'static SupportedProtocolVersion,
    most: usize,
    mut flood: impl AsyncFnMut(&mut Adversary<'_>),
) -> (usize, Option<Refusal>) {
    let memory = memory();
    let (mut tls, mut adversary) = Adversary::meet(subject, version, &memory).await;
    for count in 0..most {
        flood(&mut adversary).await;
        match tls.receive_some(&mut [0; 64]).now_or_never() {
            None => {}
            Some(Ok(received)) => panic!("{received} bytes of nothing"),
            Some(Err(error)) => {
                tls.close().await.expect("closes");
                return (count, Some((error, adversary.hear_alert().await)));
            }
        }
    }
    // What was allowed has broken nothing.
    adversary.say(ApplicationData, b"data").await;
    assert_eq!(tls.receive_some(&mut [0; 64]).await, Ok(4));
    (most, None)
}

/// rustls has no alert for who sends too much.
fn misbehaved(how: PeerMisbehaved) -> Option<Refusal> {
    Some((TlsError::Engine(EngineError::Rustls(how.into())), None))
}

#[test]
fn floods_that_say_nothing_are_refused_after_few_records() {
    for version in [&TLS12, &TLS13] {
        for subject in [Client, Server] {
            run(async {
                let flooded = taken_of_a_flood(subject, version, 100, async |adversary| {
                    adversary.say(ApplicationData, b"").await;
                });
                let refused = misbehaved(PeerMisbehaved::TooManyEmptyFragments);
                assert_eq!(flooded.await, (32, refused));
                // As many with a byte between them are fine.
                let mut turn = 0;
                let flooded = taken_of_a_flood(subject, version, 32, async |adversary| {
                    turn += 1;
                    adversary.say(ApplicationData, b"").await;
                });
                assert_eq!(flooded.await, (32, None));

                let flooded = taken_of_a_flood(subject, version, 100, async |adversary| {
                    const USER_CANCELED: u8 = 90;
                    adversary.say(Alert, &[1, USER_CANCELED]).await;
                });
                let refused = misbehaved(PeerMisbehaved::TooManyWarningAlertsReceived);
                assert_eq!(flooded.await, (4, refused));
            });
        }
    }
}

/// Padding (RFC 8446, 5.4) stands behind the type of a record: the adversary's own type is its last byte.
#[test]
fn padded_records_are_what_is_before_the_padding_and_nothing_if_that_is_nothing() {
    const PADDING: ContentType = Unknown(0);
    for subject in [Client, Server] {
        for length in [0, 100, (1 << 14) - 6] {
            let memory = memory();
            run(async {
                let (mut tls, mut adversary) = Adversary::meet(subject, &TLS13, &memory).await;
                let padded = |content: &[u8], typ: ContentType| {
                    let mut padded = [content, &[typ.into()]].concat();
                    padded.resize(padded.len() + length, 0);
                    padded
                };
                let mut buf = [0; 64];
                for _ in 0..2 {
                    adversary.say(PADDING, &padded(b"", ApplicationData)).await;
                    assert_eq!(tls.receive_some(&mut buf).now_or_never(), None);
                    adversary
                        .say(PADDING, &padded(b"data", ApplicationData))
                        .await;
                    assert_eq!(tls.receive_some(&mut buf).await, Ok(4));
                }
                adversary.say(PADDING, &padded(&[1, 0], Alert)).await;
                assert_eq!(tls.receive_some(&mut buf).await, Ok(0));
            });
        }
    }
}

#[test]
fn a_flood_of_key_updates_is_refused_after_few_records() {
    for request in [KEY_UPDATE, KEY_UPDATE_PLEASE] {
        for subject in [Client, Server] {
            run(async {
                let flooded = taken_of_a_flood(subject, &TLS13, 100, async |adversary| {
                    adversary.say(Handshake, &request).await;
                    adversary.change_keys();
                });
                let refused = misbehaved(PeerMisbehaved::TooManyKeyUpdateRequests);
                assert_eq!(flooded.await, (32, refused));
            });
        }
    }
}

/// A peer that asks for new keys between its data, and takes no answer: the answers do not pile up.
#[test]
fn key_updates_between_data_are_answered_once_however_many_there_were() {
    for subject in [Client, Server] {
        let memory = memory();
        run(async {
            let (mut tls, mut adversary) = Adversary::meet(subject, &TLS13, &memory).await;
            for _ in 0..2000 {
                adversary.say(Handshake, &KEY_UPDATE_PLEASE).await;
                adversary.change_keys();
                adversary.say(ApplicationData, b"x").await;
                assert_eq!(tls.receive_some(&mut [0; 64]).await, Ok(1));
            }
            tls.send_all(b"answer").await.expect("sends");
            let answered = adversary.hear().await.expect("an answer");
            assert_eq!(answered, (Handshake, KEY_UPDATE.to_vec()));
            let data = adversary.hear().await.expect("under the new keys");
            assert_eq!(data, (ApplicationData, b"answer".to_vec()));
        });
    }
}

/// Tickets are no data, and need no answer. A client keeps few of them.
#[test]
fn a_flood_of_tickets_is_swallowed_and_what_follows_it_arrives() {
    // For an hour, from now, under the nonce 0: 40 bytes, and no extensions.
    let mut ticket = vec![4, 0, 0, 0, 0, 0, 14, 16, 0, 0, 0, 0, 1, 0, 0, 40];
    ticket.extend([9; 40]);
    ticket.extend([0, 0]);
    ticket[3] = u8::try_from(ticket.len() - 4).expect("it is short");
    run(async {
        let flooded = taken_of_a_flood(Client, &TLS13, 5000, async |adversary| {
            adversary.say(Handshake, &ticket).await;
        });
        assert_eq!(flooded.await, (5000, None));
        // A server knows no tickets of its client's.
        let flooded = taken_of_a_flood(Server, &TLS13, 10, async |adversary| {
            adversary.say(Handshake, &ticket).await;
        });
        let (taken, refused) = flooded.await;
        let told = Some(UnexpectedMessage);
        assert!(
            taken == 0 && matches!(&refused, Some((TlsError::Engine(_), alert)) if *alert == told),
            "{refused:?}"
        );
    });
}

/// What comes behind the peer's end is nobody's, and is not even looked at.
#[test]
fn data_behind_the_end_of_the_session_is_ignored() {
    for version in [&TLS12, &TLS13] {
        for subject in [Client, Server] {
            let memory = memory();
            run(async {
                let (mut tls, mut adversary) = Adversary::meet(subject, version, &memory).await;
                adversary.say(Alert, &[1, 0]).await;
                for _ in 0..50 {
                    adversary.say(ApplicationData, b"still here").await;
                    adversary.say(Alert, &[2, 40]).await;
                }
                for _ in 0..3 {
                    assert_eq!(tls.receive_some(&mut [0; 64]).await, Ok(0));
                }
                tls.send_all(b"I am").await.expect("this direction goes on");
                let heard = adversary.hear().await.expect("data");
                assert_eq!(heard, (ApplicationData, b"I am".to_vec()));
            });
        }
    }
}

/// In TLS 1.2 a server may ask for another handshake. It is refused, and asked twice, the session is over.
#[test]
fn a_renegotiation_is_refused_and_no_flood_of_requests_is_answered() {
    run(async {
        let flooded = taken_of_a_flood(Client, &TLS12, 10, async |adversary| {
            adversary.say(Handshake, &HELLO_REQUEST).await;
        });
        let refused = misbehaved(PeerMisbehaved::TooManyRenegotiationRequests);
        assert_eq!(flooded.await, (1, refused));
    });
}

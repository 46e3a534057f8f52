//! A peer that follows a script.

use futures_util::FutureExt as _;
use futures_util::future::join;
use tacket::testing::{Call, Script, ScriptError, SeededExecutor, Step};
use tacket::{
    AsyncResource as _, Error as _, Fault, HalfCloseable as _, ReceiveStream as _, SendStream as _,
    Split as _,
};

fn run<T>(program: impl Future<Output = T>) -> T {
    SeededExecutor::new(1).run(program)
}

#[test]
fn a_program_that_follows_the_script_in_pieces_of_its_own_plays_it() {
    let steps = [
        Step::Send(b"one"),
        Step::Send(b"two"),
        Step::Receive(b"three"),
        Step::ReceiveEnd,
        Step::SendEnd,
    ];
    let script = Script::<4>::new(&steps);
    run(async {
        let mut stream = script.open();
        stream.send_all(b"on").await.expect("in the script");
        assert_eq!(script.outcome(), Err(ScriptError::Unplayed { step: 0 }));
        stream.send_all(b"etwo").await.expect("in the script");
        let mut buf = [0; 3];
        assert_eq!(
            stream.receive_some(&mut []).await,
            Err(ScriptError::EmptyBuffer)
        );
        assert_eq!((stream.receive_some(&mut buf).await, &buf), (Ok(3), b"thr"));
        assert_eq!(
            (stream.receive_some(&mut buf).await, &buf[..2]),
            (Ok(2), &b"ee"[..])
        );
        assert_eq!(stream.receive_some(&mut buf).await, Ok(0));
        assert_eq!(stream.receive_some(&mut buf).await, Ok(0), "the end stays");
        stream.send_eof().await.expect("in the script");
        stream.send_eof().await.expect("harmless");
        assert_eq!(stream.send_all(b"x").await, Err(ScriptError::Closed));
        stream.close().await.expect("it has ended");
    });
    assert_eq!(script.outcome(), Ok(()));
    // Only so many are kept.
    let calls = [Call::Write(2), Call::Flush, Call::Write(4), Call::Write(3)];
    assert!(script.calls().eq(calls));
}

#[test]
fn an_operation_whose_turn_has_not_come_waits() {
    let steps = [Step::Receive(b"hi"), Step::Send(b"ho"), Step::Receive(b"!")];
    let script = Script::<0>::new(&steps);
    run(async {
        let mut stream = script.open();
        let (tx, rx) = stream.split();
        assert_eq!(tx.send_all(b"ho").now_or_never(), None);
        assert_eq!(tx.wait_send_all_might_not_block().now_or_never(), None);
        let receiving = async {
            let mut buf = [0; 8];
            assert_eq!(rx.receive_some(&mut buf).await, Ok(2));
            assert_eq!(rx.receive_some(&mut buf).await, Ok(1));
        };
        join(async { tx.send_all(b"ho").await.expect("now") }, receiving).await;
    });
    assert_eq!(script.outcome(), Ok(()));
}

#[test]
fn what_is_not_in_the_script_fails_and_so_does_all_behind_it() {
    let unexpected = Err(ScriptError::Unexpected { step: 1 });
    let steps = [Step::Send(b"a"), Step::Send(b"right"), Step::SendEnd];
    let script = Script::<0>::new(&steps);
    run(async {
        let mut stream = script.open();
        stream.send_all(b"a").await.expect("in the script");
        assert_eq!(stream.send_all(b"rong").await, unexpected);
        assert_eq!(stream.send_all(b"right").await, unexpected);
        assert_eq!(stream.receive_some(&mut [0]).await.map(|_| ()), unexpected);
        assert_eq!(stream.close().await, unexpected);
    });
    assert_eq!(script.outcome(), unexpected);
}

#[test]
fn behind_the_last_step_nothing_is_in_the_script() {
    let script = Script::<0>::new(&[]);
    let error = run(async { script.open().receive_some(&mut [0]).await });
    assert_eq!(error, Err(ScriptError::Unexpected { step: 0 }));
    let script = Script::<0>::new(&[Step::Send(b"abc")]);
    let error = run(async { script.open().send_all(b"abcd").await });
    assert_eq!(error, Err(ScriptError::Unexpected { step: 1 }));
}

#[test]
fn a_connection_fails_where_the_script_says_so() {
    let steps = [
        Step::Send(b"a"),
        Step::Fail(Fault::Broken),
        Step::Receive(b"never"),
    ];
    let script = Script::<0>::new(&steps);
    run(async {
        let mut stream = script.open();
        stream.send_all(b"a").await.expect("in the script");
        for _ in 0..2 {
            let error = stream.receive_some(&mut [0]).await.unwrap_err();
            assert_eq!(error.fault(), Fault::Broken);
        }
        assert_eq!(
            stream.send_all(b"b").await.unwrap_err().fault(),
            Fault::Broken
        );
    });
    assert_eq!(script.outcome(), Ok(()));
}

//! What goes together with tokio and smol, and what does not: the claims of the documentation of `tacket-std`.

use core::net::SocketAddr;
use std::thread;

use futures_util::FutureExt as _;
use smol::io::AsyncReadExt as _;
use tacket::{AsyncResource as _, Error as _, Fault, Listener as _, LocalAddress as _};
use tacket::{ReceiveStream as _, SendStream as _};
use tacket_std::{IoError, TcpListener, TcpStream};

use crate::limited::run;

fn tokio_runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(1).enable_io();
    builder.build().expect("a runtime")
}

fn listener() -> TcpListener {
    let anywhere = "127.0.0.1:0".parse().expect("an address");
    TcpListener::bind(anywhere).expect("a free port")
}

async fn greet(mut stream: TcpStream) -> Result<(), IoError> {
    stream.send_all(b"hello").await?;
    stream.close().await
}

#[test]
fn on_another_executor_a_wait_is_an_error_and_no_hang() {
    let mut listener = listener();
    let address = listener.local_addr().expect("its address");
    let (mut here, mut there) = run(async {
        let here = TcpStream::connect(address).await.expect("it listens");
        (here, listener.accept().await.expect("a client"))
    });
    let wait = async |stream: &mut TcpStream| {
        let waited = stream.receive_some(&mut [0; 1]).now_or_never();
        let refused = waited.expect("it would wait for ever");
        refused.expect_err("nobody drives it").fault()
    };
    let by_smol = smol::block_on(wait(&mut here));
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let by_tokio = runtime.expect("a runtime").block_on(wait(&mut there));
    assert_eq!([by_smol, by_tokio], [Fault::Unsupported; 2]);
}

async fn hear(address: SocketAddr) -> Result<Vec<u8>, IoError> {
    let mut stream = TcpStream::connect(address).await?;
    let mut buf = [0; 16];
    let count = stream.receive_some(&mut buf).await?;
    Ok(buf[..count].to_vec())
}

/// They wake by nothing but wakers, so they may be between.
#[test]
fn executors_without_a_reactor_run_inside_with_our_streams() {
    let mut listener = listener();
    let address = listener.local_addr().expect("its address");
    let executor = smol::LocalExecutor::new();
    let tasks = tokio::task::LocalSet::new();
    run(async {
        let smol = executor.run(async {
            let hearing = executor.spawn(hear(address));
            greet(listener.accept().await?).await?;
            hearing.await
        });
        assert_eq!(smol.await.expect("nothing fails"), b"hello");
        let tokio = tasks.run_until(async {
            let hearing = tokio::task::spawn_local(hear(address));
            greet(listener.accept().await?).await?;
            hearing.await.expect("no panic")
        });
        assert_eq!(tokio.await.expect("nothing fails"), b"hello");
    });
}

#[test]
fn sockets_of_smol_work_inside_beside_ours() {
    let mut listener = listener();
    let address = listener.local_addr().expect("its address");
    run(async {
        let served = tacket_std::spawn(async move { greet(listener.accept().await?).await });
        let mut stream = smol::net::TcpStream::connect(address)
            .await
            .expect("it listens");
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.expect("to the end");
        assert_eq!(heard, b"hello");
        served.await.expect("served");
    });
}

#[test]
fn sockets_of_tokio_work_inside_while_their_runtime_runs_elsewhere() {
    use tokio::io::AsyncReadExt as _;
    let mut listener = listener();
    let address = listener.local_addr().expect("its address");
    let runtime = tokio_runtime();
    run(async {
        let _entered = runtime.enter();
        let served = tacket_std::spawn(async move { greet(listener.accept().await?).await });
        let mut stream = tokio::net::TcpStream::connect(address)
            .await
            .expect("it listens");
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).await.expect("to the end");
        assert_eq!(heard, b"hello");
        served.await.expect("served");
    });
}

/// A thread of ours and a runtime of theirs, with one channel each way.
#[test]
fn a_thread_of_ours_and_a_runtime_of_theirs_exchange_values_by_any_channel() {
    let (ask, mut asked) = tokio::sync::mpsc::channel::<u32>(1);
    let (answer, answers) = async_channel::bounded::<u32>(1);
    let ours = thread::spawn(move || {
        run(async {
            while let Some(number) = asked.recv().await {
                answer.send(number + 1).await.expect("somebody listens");
            }
        });
    });
    tokio_runtime().block_on(async {
        for number in 0..1000 {
            ask.send(number).await.expect("somebody listens");
            assert_eq!(answers.recv().await, Ok(number + 1));
        }
        drop(ask);
    });
    ours.join().expect("it ends with the channel");
}

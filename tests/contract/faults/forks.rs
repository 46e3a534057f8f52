//! Many children, and children that have children of their own.

use std::cell::Cell;
use std::process::{Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use tacket::{AsyncResource as _, ReceiveStream as _, SendStream as _, timeout};
use tacket_std::{Child, MonotonicClock};

use super::{begin, receive_all, run, shell, turn};

/// A child that hands its pipes over to a child of its own and ends.
///
/// That one gives back what it gets, and ends with its input.
fn parent() -> Child {
    shell("exec 3<&0; cat <&3 & exit 3")
}

#[test]
fn a_child_has_ended_when_it_has_whatever_it_leaves_behind() {
    run(async {
        let mut child = parent();
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        let status = child.wait().await.expect("it ends");
        assert_eq!(status.code(), Some(3));
        drop(child);
        let mut buf = [0; 16];
        for _ in 0..3 {
            let mut receiving = Box::pin(stdout.receive_some(&mut buf));
            begin(&mut receiving).await;
            turn().await;
            begin(&mut receiving).await;
            stdin.send_all(b"meow").await.expect("somebody reads");
            assert_eq!(receiving.await.expect("an answer"), 4);
        }
        stdin.close().await.expect("closes");
        assert_eq!(receive_all(stdout).await, "");
    });
}

/// Its input is closed, so that what it leaves behind ends too, after it has said what there was to say.
#[test]
fn all_that_a_child_says_ends_with_the_last_who_can_say_something() {
    run(async {
        let child = shell("exec 3<&0; (cat <&3; echo late; echo later >&2) & exit 3");
        let output = child.wait_with_output().await.expect("it ends");
        assert_eq!(output.status.code(), Some(3));
        assert_eq!(
            (&*output.stdout, &*output.stderr),
            (&b"late\n"[..], &b"later\n"[..])
        );

        // One that does not end is a case for a limit.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut endless = Command::new("sh");
        endless.args(["-c", "exec 3<&0; cat <&3 & exit 3"]);
        let child = Child::spawn(endless.stdin(reader).stdout(Stdio::piped()));
        let clock = MonotonicClock::new();
        let waiting = child.expect("a child").wait_with_output();
        let limited = timeout(&clock, Duration::from_millis(50), waiting).await;
        limited.expect_err("somebody has the pipe");
        drop(writer);
    });
}

#[test]
fn a_child_that_is_dropped_takes_nobody_with_it() {
    run(async {
        let mut child = shell("exec 3<&0; (cat <&3) & echo ready; wait");
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        let mut buf = [0; 16];
        assert_eq!(stdout.receive_some(&mut buf).await.expect("a word"), 6);
        drop(child);
        stdin.send_all(b"meow").await.expect("somebody reads");
        assert_eq!(stdout.receive_some(&mut buf).await.expect("an answer"), 4);
        stdin.close().await.expect("closes");
        assert_eq!(receive_all(stdout).await, "");
    });
}

#[cfg(target_os = "linux")]
mod linux {
    use std::net::SocketAddr;
    use std::process::Output;
    use std::thread;

    use futures_util::future::{Either, select, try_join};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    use tacket::{Clock as _, Error as _, Fault, Listener as _, LocalAddress as _};
    use tacket_std::{
        IoError, PipeReceiveStream, PipeSendStream, StopSignal, TcpListener, TcpStream, UdpSocket,
        UnixListener, UnixStream,
    };

    use super::*;
    use crate::alone::{assert_passed, run_alone, run_alone_where};

    fn any() -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 0))
    }

    /// Everything that this crate makes of descriptors, in use.
    async fn everything() -> Vec<Box<dyn std::any::Any>> {
        let mut tcp = TcpListener::bind(any()).expect("a free port");
        let address = tcp.local_addr().expect("an address");
        let from = address.ip();
        let connected = try_join(TcpStream::connect(address), tcp.accept()).await;
        let bound = try_join(TcpStream::connect_from(from, address), tcp.accept()).await;
        let shared = tcp.to_std().expect("another handle");
        let adopted = std::net::TcpStream::connect(address).expect("connects");
        let adopted = TcpStream::try_from(adopted).expect("adopted");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("socket");
        let mut unix = UnixListener::bind(&path).expect("listens");
        let by_path = try_join(UnixStream::connect(&path), unix.accept()).await;
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let pipe_tx = PipeSendStream::new(writer).expect("a write end");
        let pipe_rx = PipeReceiveStream::new(reader).expect("a read end");
        let signal = StopSignal::new().expect("a listener");
        vec![
            Box::new((tcp, shared, adopted)),
            Box::new((connected.expect("connects"), bound.expect("connects"))),
            Box::new((unix, by_path.expect("connects"), folder)),
            Box::new(UnixStream::pair().expect("a pair")),
            Box::new(UdpSocket::bind(any()).expect("a free port")),
            Box::new((pipe_tx, pipe_rx, signal)),
            Box::new(shell("exec sleep 1000")),
        ]
    }

    /// A child that says what its descriptors are.
    const LISTING: &str = "readlink /proc/$$/fd/*";

    /// The kinds of descriptors that it said.
    fn kinds(output: &Output) -> Vec<&str> {
        let said = str::from_utf8(&output.stdout).expect("text");
        let kinds = said
            .lines()
            .map(|line| line.split(':').next().expect("a kind"));
        let mut kinds: Vec<_> = kinds.collect();
        kinds.sort_unstable();
        kinds
    }

    #[test]
    fn a_child_inherits_nothing_that_is_not_said_to() {
        let name = "faults::forks::linux::a_child_inherits_nothing_that_is_not_said_to";
        if let Some(ended) = run_alone(name) {
            return assert_passed(&ended);
        }
        let list = async || {
            let child = shell(LISTING);
            child.wait_with_output().await.expect("it ends")
        };
        // What this process has inherited itself, before there is anything of ours.
        let mut shell = Command::new("sh");
        shell.args(["-c", LISTING]);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        let before = shell.stderr(Stdio::piped()).spawn().expect("a child");
        let before = before.wait_with_output().expect("it ends");
        let before = kinds(&before);
        assert!(before.len() >= 3, "{before:?}");
        run(async {
            let everything = everything().await;
            assert_eq!(kinds(&list().await), before);
            drop(everything);
        });
        // Nor what another thread opens at the same time.
        thread::scope(|scope| {
            let opening = scope.spawn(|| {
                run(async {
                    for _ in 0..20 {
                        drop(everything().await);
                        turn().await;
                    }
                });
            });
            while !opening.is_finished() {
                let lists = run(join_all((0..10).map(|_| list())));
                assert!(lists.iter().all(|list| kinds(list) == before));
            }
        });
    }

    /// How many entries a folder of this process has.
    fn count(folder: &str) -> usize {
        let entries = std::fs::read_dir(format!("/proc/self/{folder}"));
        entries.expect("a list").count()
    }

    /// A server that gives back what it gets, and a client that asks it all the time, with a timer.
    async fn traffic(asked: &Cell<usize>) -> Result<(), IoError> {
        let mut listener = TcpListener::bind(any())?;
        let address = listener.local_addr()?;
        let clock = MonotonicClock::new();
        let mut buf = [0; 64];
        let mut other = [0; 64];
        loop {
            let (mut client, mut server) =
                try_join(TcpStream::connect(address), listener.accept()).await?;
            for _ in 0..10 {
                client.send_all(b"hello").await?;
                let count = server.receive_some(&mut buf).await?;
                server.send_all(&buf[..count]).await?;
                assert_eq!(client.receive_some(&mut other).await?, 5);
                asked.set(asked.get() + 1);
            }
            clock
                .sleep_until(clock.now() + Duration::from_micros(100))
                .await;
            client.close().await?;
            server.close().await?;
        }
    }

    /// Those of this process that have not been reaped.
    fn children() -> String {
        let threads = std::fs::read_dir("/proc/self/task").expect("a list");
        let children = threads.map(|thread| {
            let thread = thread.expect("an entry").path();
            std::fs::read_to_string(thread.join("children")).unwrap_or_default()
        });
        children.collect()
    }

    #[test]
    fn hundreds_of_children_at_once_all_end_as_they_do_beside_other_things() {
        let name = "faults::forks::linux::hundreds_of_children_at_once_all_end_as_they_do_beside_other_things";
        if let Some(ended) = run_alone(name) {
            return assert_passed(&ended);
        }
        run(async {
            // Whatever is made once, is made now.
            shell("").wait().await.expect("it ends");
            let before = (count("fd"), count("task"));
            let asked = Cell::new(0);
            let other_things = async || {
                let before = asked.get();
                while asked.get() < before + 50 {
                    turn().await;
                }
            };
            let waves = async {
                for wave in 0..3 {
                    let children: Vec<_> = (0..150)
                        .map(|number| shell(&format!("read line; echo \"$line\"; {}", end(number))))
                        .collect();
                    other_things().await;
                    let ended = children.into_iter().enumerate();
                    join_all(ended.map(async |(number, child)| {
                        meet(child, number, wave).await;
                    }))
                    .await;
                    other_things().await;
                }
            };
            let traffic = traffic(&asked);
            match select(Box::pin(waves), Box::pin(traffic)).await {
                Either::Left(_) => {}
                Either::Right((failed, _)) => panic!("{failed:?}"),
            }
            // Those that were dropped are reaped in the background, by a thread that ends then.
            while !children().is_empty() || (count("fd"), count("task")) != before {
                turn().await;
            }
        });
    }

    /// How a child with that number ends: by a code, by a signal, or not by itself.
    fn end(number: usize) -> String {
        match number % 3 {
            0 => format!("exit {number}"),
            1 => "kill -15 $$".to_owned(),
            _ => "exec sleep 1000".to_owned(),
        }
    }

    async fn meet(mut child: Child, number: usize, wave: usize) {
        use std::os::unix::process::ExitStatusExt as _;
        let line = format!("{wave} {number}\n");
        let mut stdin = child.stdin.take().expect("it is piped");
        let mut stdout = child.stdout.take().expect("it is piped");
        stdin.send_all(line.as_bytes()).await.expect("it reads");
        let mut buf = [0; 64];
        let heard = stdout.receive_some(&mut buf).await.expect("a line");
        assert_eq!(&buf[..heard], line.as_bytes());
        let expected = match number % 3 {
            0 => (i32::try_from(number).ok(), None),
            1 => (None, Some(15)),
            _ => {
                assert_eq!(child.try_wait().expect("no failure"), None);
                return; // dropped, so killed
            }
        };
        let status = child.wait().await.expect("it ends");
        assert_eq!((status.code(), status.signal()), expected);
    }

    #[test]
    fn whoever_runs_out_of_descriptors_keeps_its_children_and_can_have_others_later() {
        let name = "faults::forks::linux::whoever_runs_out_of_descriptors_keeps_its_children_and_can_have_others_later";
        if let Some(ended) = run_alone(name) {
            return assert_passed(&ended);
        }
        run(async {
            shell("").wait().await.expect("it ends");
            let before = count("fd");
            let limits = getrlimit(Resource::Nofile);
            let few = Rlimit {
                current: Some(100),
                ..limits
            };
            setrlimit(Resource::Nofile, few).expect("a lower limit");
            for _ in 0..3 {
                let mut cats = Vec::new();
                let error = loop {
                    let mut cat = Command::new("cat");
                    cat.stdin(Stdio::piped()).stdout(Stdio::piped());
                    match Child::spawn(&mut cat) {
                        Ok(cat) => cats.push(cat),
                        Err(error) => break error,
                    }
                };
                assert_eq!(error.fault(), Fault::Capacity, "{error}");
                assert!(error.to_string().contains("cat"), "{error}");
                assert!(cats.len() > 20, "{}", cats.len());
                // Each goes on.
                let mut buf = [0; 16];
                for cat in &mut cats {
                    let stdin = cat.stdin.as_mut().expect("it is piped");
                    stdin.send_all(b"meow").await.expect("it reads");
                    let stdout = cat.stdout.as_mut().expect("it is piped");
                    assert_eq!(stdout.receive_some(&mut buf).await.expect("an answer"), 4);
                }
                // Room for one is room for one.
                let mut last = cats.pop().expect("a child");
                assert!(last.wait().await.expect("it ends").success());
                drop(last);
                let next = Child::spawn(&mut Command::new("true"));
                cats.push(next.expect("there is room now"));
                for mut cat in cats {
                    assert!(cat.wait().await.expect("it ends").success());
                }
                assert_eq!(children(), "");
            }
            setrlimit(Resource::Nofile, limits).expect("the old limit");
            assert_eq!(count("fd"), before);
        });
    }

    /// The first are refused, however they are made.
    #[test]
    fn a_system_that_is_out_of_processes_refuses_children_until_it_has_some() {
        let name = "faults::forks::linux::a_system_that_is_out_of_processes_refuses_children_until_it_has_some";
        let inject = "clone,clone3,fork,vfork:error=EAGAIN:when=1..2";
        if let Some(ended) = run_alone_where(inject, name) {
            return assert_passed(&ended);
        }
        let spawn = || {
            let mut cat = Command::new("cat");
            Child::spawn(cat.stdin(Stdio::piped()).stdout(Stdio::piped()))
        };
        run(async {
            turn().await; // the loop has its descriptors
            let before = count("fd");
            let error = spawn().expect_err("no process is left");
            assert_eq!(error.fault(), Fault::Capacity, "{error}");
            assert_eq!((count("fd"), &*children()), (before, ""));
            let mut cat = spawn().or_else(|_| spawn()).expect("a process");
            assert!(cat.wait().await.expect("it ends").success());
        });
    }
}
